package io.vxseal.kernel;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.locks.ReentrantLock;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The rules by the distribution's iptables or ip6tables, either variant. They are those of the built-in driver (moby,
 * {@code overlay/encryption.go}, programMangle and programInput) and one that it lacks, with a matching program of our
 * own by which the two drivers' rules stay apart.
 *
 * <p>What stands is read with iptables-save, which makes no table that is not there. All changes of one call go in by one
 * iptables-restore, which commits each table whole.
 */
final class IptablesFirewall implements Firewall {
    /** Seconds to wait for the lock that iptables' own processes hold against each other. */
    private static final String LOCK_WAIT = "30";

    /** Between reading and writing another program may take away what is to be replaced; hardly this often. */
    private static final int ATTEMPTS = 3;

    /** In the order to put rules in place: what drops stands before what marks. */
    private static final List<String> TABLES = List.of("filter", "mangle");

    /** Of a -save command's line: words, and what stands in quotes. */
    private static final Pattern WORD = Pattern.compile("\"(?:[^\"\\\\]|\\\\.)*\"|\\S+");

    /** Targets, or none, after which a packet is gone or goes on with the next rule; any other might let it by. */
    private static final Set<String> BLIND_TARGETS = Set.of("", "DROP", "REJECT", "LOG", "NFLOG");

    /** A chain that packets never meet. */
    private static final String SCRATCH = "VXSEAL-TRY";

    private final Transport transport;
    private final int port;
    private final int mark;
    private final Tools tools;
    private final String command;

    /** What is read and the change that follows from it belong together. */
    private final ReentrantLock lock = new ReentrantLock();

    private IptablesFirewall(Transport transport, int port, int mark, Tools tools, String command) {
        this.transport = transport;
        this.port = port;
        this.mark = mark;
        this.tools = tools;
        this.command = command;
    }

    /**
     * Finds the variant that the host's rules are in, since a packet meets the rules of both but an administrator, and
     * the order within a chain, only those of one: the one with the engine's chains; where that does not tell, the legacy
     * one if it has more rules than the other, or the other does not work; and the plain command where the distribution
     * does not tell them apart. Looking changes nothing.
     */
    static IptablesFirewall detect(Transport transport, int port, int mark, Tools tools) throws FirewallException {
        String command = plain(transport);
        Optional<Holding> nft = holding(tools, transport, "-nft");
        Optional<Holding> legacy = holding(tools, transport, "-legacy");
        if (legacy.isPresent() && (nft.isEmpty() || legacy.get().outweighs(nft.get()))) {
            command += "-legacy";
        } else if (nft.isPresent()) {
            command += "-nft";
        } else {
            Tools.Outcome version = tools.run(List.of(command, "--version"));
            if (!version.done()) {
                throw version.failed("look for " + command, "install the iptables package");
            }
        }
        return using(transport, port, mark, tools, command);
    }

    /** Rules by the named command, as in {@code "iptables-legacy"}, without looking for a better one. */
    static IptablesFirewall using(Transport transport, int port, int mark, Tools tools, String command) {
        return new IptablesFirewall(transport, port, mark, tools, command);
    }

    /** The commands that there may be, where the distribution tells the variants apart. */
    static List<String> variants(Transport transport) {
        return List.of(plain(transport) + "-nft", plain(transport) + "-legacy");
    }

    /** Whether Docker's engine makes its rules by iptables, in whichever variant. */
    static boolean holdsTheEnginesRules(Tools tools) throws FirewallException {
        for (String variant : variants(Transport.IPV4)) {
            if (holdsTheEnginesRules(tools.run(List.of(variant + "-save")))) {
                return true;
            }
        }
        return false;
    }

    private static boolean holdsTheEnginesRules(Tools.Outcome saved) {
        return saved.output().lines().anyMatch(line -> line.startsWith(":DOCKER "));
    }

    private static String plain(Transport transport) {
        return switch (transport) {
            case IPV4 -> "iptables";
            case IPV6 -> "ip6tables";
        };
    }

    /** Whether a variant has the engine's chains, and how many rules. */
    private record Holding(boolean engine, long rules) {
        boolean outweighs(Holding other) {
            return engine == other.engine ? rules > other.rules : engine;
        }
    }

    /**
     * Empty if the variant cannot be run or the kernel has nothing for it. The engine may have rules for IPv4 only, but
     * where those are is where it would have the others.
     */
    private static Optional<Holding> holding(Tools tools, Transport transport, String suffix) throws FirewallException {
        Tools.Outcome saved = tools.run(List.of(plain(transport) + suffix + "-save"));
        if (saved.denied()) {
            throw saved.failed("look for the host's rules", Tools.CAPABILITY);
        }
        if (!saved.done()) {
            return Optional.empty();
        }
        boolean engine = holdsTheEnginesRules(saved)
                || transport == Transport.IPV6
                        && holdsTheEnginesRules(tools.run(List.of(plain(Transport.IPV4) + suffix + "-save")));
        return Optional.of(new Holding(
                engine, saved.output().lines().filter(line -> line.startsWith("-A ")).count()));
    }

    /** The command that makes the rules, for logs and tests. */
    String command() {
        return command;
    }

    @Override
    public String toString() {
        return command;
    }

    /**
     * A rule and its place.
     *
     * @param first whether it stands above whatever might let a packet by
     * @param words as the -save commands write them
     */
    private record Rule(String table, String chain, boolean first, List<String> words) {
        String target() {
            return targetOf(words);
        }

        String line() {
            return "%s %s %s\n".formatted(first ? "-I" : "-A", chain, String.join(" ", words));
        }
    }

    /**
     * A rule of ours as it was found.
     *
     * @param words as it was written
     * @param overtaken whether one above it might let a packet by
     */
    private record Standing(String table, String chain, int vni, List<String> words, boolean overtaken) {
        String line() {
            return "-D %s %s\n".formatted(chain, String.join(" ", words));
        }

        boolean is(Rule rule) {
            return table.equals(rule.table)
                    && chain.equals(rule.chain)
                    && !(rule.first && overtaken)
                    && sorted(words).equals(sorted(rule.words));
        }

        boolean sharesPlaceWith(Standing other) {
            return vni == other.vni && table.equals(other.table) && chain.equals(other.chain);
        }

        private static List<String> sorted(List<String> words) {
            return words.stream().sorted().toList();
        }
    }

    private static List<String> words(String line) {
        return WORD.matcher(line).results().map(MatchResult::group).toList();
    }

    private static String targetOf(List<String> words) {
        int jump = Math.max(words.indexOf("-j"), words.indexOf("-g"));
        return jump < 0 ? "" : words.get(jump + 1);
    }

    private List<String> toThePort() {
        return List.of("-p", "udp", "-m", "udp", "--dport", Integer.toString(port));
    }

    private List<String> of(int vni) {
        return List.of("-m", "bpf", "--bytecode", '"' + VxlanMatch.bytecode(transport, vni) + '"');
    }

    private static List<String> unsealed(String direction) {
        return List.of("-m", "policy", "--dir", direction, "--pol", "none");
    }

    private List<String> setMark() {
        return List.of("-j", "MARK", "--set-xmark", "0x%x/0xffffffff".formatted(mark));
    }

    @SafeVarargs
    private static List<String> joined(List<String>... words) {
        return Stream.of(words).flatMap(List::stream).toList();
    }

    private Rule marking(int vni) {
        return new Rule("mangle", "OUTPUT", false, joined(toThePort(), of(vni), setMark()));
    }

    /** First in its chain, above anything by which an administrator accepts all VXLAN. */
    private Rule dropping(int vni, String chain, String direction) {
        List<String> words = joined(unsealed(direction), toThePort(), of(vni), List.of("-j", "DROP"));
        return new Rule("filter", chain, true, words);
    }

    /**
     * In the order to put them in place. The filter table's OUTPUT comes after mangle's, whose mark has the kernel choose
     * the route, and with it the policy, anew: what has none by then, for want of mark or policy, would leave in clear.
     */
    private List<Rule> rules(int vni) {
        return List.of(dropping(vni, "INPUT", "in"), dropping(vni, "OUTPUT", "out"), marking(vni));
    }

    @Override
    public void protect(int vni) throws FirewallException {
        lock.lock();
        try {
            List<Standing> before = standing();
            if (isRight(vni, before)) {
                return;
            }
            try {
                change("protect VNI " + vni, before, Set.of(vni), Set.of(vni));
            } catch (FirewallException refused) {
                takeBack(vni, before, refused);
                throw refused;
            }
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void unprotect(int vni) throws FirewallException {
        lock.lock();
        try {
            change("unprotect VNI " + vni, standing(), Set.of(vni), Set.of());
        } finally {
            lock.unlock();
        }
    }

    @Override
    public int restore(Set<Integer> vnis) throws FirewallException {
        lock.lock();
        try {
            Tools.Outcome saved = save();
            if (vnis.isEmpty() && !saved.done()) {
                // No such command here, or no such tables in the kernel: then there are no rules either.
                return 0;
            }
            List<Standing> standing = standing(saved);
            Set<Integer> wrong = new TreeSet<>(vnis);
            wrong.removeIf(vni -> isRight(vni, standing));
            standing.stream().map(Standing::vni).filter(vni -> !vnis.contains(vni)).forEach(wrong::add);
            change("restore the rules of VNIs " + wrong, standing, wrong, vnis);
            return wrong.size();
        } finally {
            lock.unlock();
        }
    }

    /** Each rule once, whole and in its place, and nothing else of ours. */
    private boolean isRight(int vni, List<Standing> standing) {
        List<Standing> own = standing.stream().filter(s -> s.vni == vni).toList();
        List<Rule> rules = rules(vni);
        return own.size() == rules.size()
                && rules.stream().allMatch(rule -> own.stream().anyMatch(s -> s.is(rule)));
    }

    /** Replaces all rules of the VNIs in question by those that the wanted ones among them have. */
    private void change(String what, List<Standing> standing, Set<Integer> vnis, Set<Integer> wanted)
            throws FirewallException {
        List<Standing> found = standing;
        for (int attempt = 1; ; attempt++) {
            List<Standing> gone = found.stream().filter(s -> vnis.contains(s.vni)).toList();
            List<Rule> come = vnis.stream().filter(wanted::contains).flatMap(vni -> rules(vni).stream()).toList();
            if (gone.isEmpty() && come.isEmpty()) {
                return;
            }
            Tools.Outcome outcome = commit(gone, come);
            if (outcome.done()) {
                return;
            }
            if (attempt == ATTEMPTS || gone.isEmpty()) {
                throw failure(what, outcome);
            }
            found = standing();
        }
    }

    /** What was put in place of a VNI's rules before one was refused goes again. */
    private void takeBack(int vni, List<Standing> before, FirewallException refused) {
        try {
            List<Standing> added = standing().stream()
                    .filter(s -> s.vni == vni && before.stream().noneMatch(s::sharesPlaceWith))
                    .toList();
            Tools.Outcome outcome = commit(added, List.of());
            if (!outcome.done()) {
                refused.addSuppressed(failure("take back the rules of VNI " + vni, outcome));
            }
        } catch (FirewallException e) {
            refused.addSuppressed(e);
        }
    }

    private Tools.Outcome commit(List<Standing> gone, List<Rule> come) throws FirewallException {
        var script = new StringBuilder();
        for (String table : come.isEmpty() ? TABLES.reversed() : TABLES) {
            var lines = new StringBuilder();
            gone.stream().filter(s -> s.table.equals(table)).forEach(s -> lines.append(s.line()));
            come.stream().filter(rule -> rule.table.equals(table)).forEach(rule -> lines.append(rule.line()));
            if (!lines.isEmpty()) {
                script.append('*').append(table).append('\n').append(lines).append("COMMIT\n");
            }
        }
        return commit(script.toString());
    }

    private Tools.Outcome commit(String script) throws FirewallException {
        return tools.run(List.of(command + "-restore", "--noflush", "-w", LOCK_WAIT), script);
    }

    private Tools.Outcome save() throws FirewallException {
        return tools.run(List.of(command + "-save"));
    }

    /** Those of our rules that stand; a refusal where another program hides them from iptables. */
    List<Standing> standing() throws FirewallException {
        return standing(save());
    }

    /** All rules of ours: they have our program, in a chain and with a target of ours. */
    private List<Standing> standing(Tools.Outcome saved) throws FirewallException {
        if (!saved.done() || TABLES.stream().anyMatch(table -> saved.says("`" + table + "' is incompatible"))) {
            throw failure("read the rules", saved);
        }
        var standing = new ArrayList<Standing>();
        var overtaken = new HashSet<String>();
        String table = "";
        for (String line : saved.output().lines().toList()) {
            if (line.startsWith("*")) {
                table = line.substring(1);
                overtaken.clear();
            } else if (line.startsWith("-A INPUT ") || line.startsWith("-A OUTPUT ")) {
                List<String> all = words(line);
                String chain = all.get(1);
                List<String> words = all.subList(2, all.size());
                OptionalInt vni = vniOf(table, chain, words);
                if (vni.isPresent()) {
                    standing.add(new Standing(table, chain, vni.getAsInt(), words, overtaken.contains(chain)));
                } else if (!BLIND_TARGETS.contains(targetOf(words))) {
                    overtaken.add(chain);
                }
            }
        }
        return standing;
    }

    private OptionalInt vniOf(String table, String chain, List<String> words) {
        int option = words.indexOf("--bytecode");
        if (option < 0) {
            return OptionalInt.empty();
        }
        OptionalInt vni = VxlanMatch.vni(transport, words.get(option + 1).replace("\"", ""));
        return vni.isPresent() && rules(vni.getAsInt()).stream().anyMatch(rule ->
                        rule.table.equals(table) && rule.chain.equals(chain) && rule.target().equals(targetOf(words)))
                ? vni
                : OptionalInt.empty();
    }

    /** Tries rules where no packet meets them, and takes them away again. */
    private Tools.Outcome attempt(String table, List<List<String>> rules) throws FirewallException {
        String tried = rules.stream()
                .map(words -> "-A %s %s\n".formatted(SCRATCH, String.join(" ", words)))
                .collect(Collectors.joining());
        // Two commits: the legacy variant shows the kernel only what a commit leaves.
        return commit("*%1$s\n:%2$s - [0:0]\n%3$sCOMMIT\n*%1$s\n-F %2$s\n-X %2$s\nCOMMIT\n".formatted(table, SCRATCH, tried));
    }

    private FirewallException failure(String what, Tools.Outcome outcome) throws FirewallException {
        return outcome.failed(what, remedy(outcome));
    }

    private String remedy(Tools.Outcome outcome) throws FirewallException {
        if (outcome.notFound()) {
            return "install the iptables package";
        }
        if (outcome.denied()) {
            return Tools.CAPABILITY;
        }
        if (outcome.says("xtables lock") || outcome.says("lock file")) {
            return "another program holds /run/xtables.lock, or it cannot be opened";
        }
        if (outcome.says("incompatible")) {
            return "another program made rules in that table that iptables cannot show: set VXSEAL_FIREWALL=nftables";
        }
        return missing();
    }

    /** What a rule of these words alone needs of the kernel. */
    private record Part(String table, List<String> words, String name, String module) {}

    /**
     * What the kernel lacks and how to get it. The tools' own words may name an extension, or no more than a line that
     * needs several; so each is tried by itself.
     */
    private String missing() throws FirewallException {
        boolean legacy = command.endsWith("-legacy");
        for (String table : TABLES) {
            if (!attempt(table, List.of(List.of())).done()) {
                String module = legacy ? plain(transport).replace("tables", "table_") + table : "nf_tables";
                return "the kernel lacks %s' table %s: modprobe %s".formatted(plain(transport), table, module);
            }
        }
        List<Part> extensions = List.of(
                new Part("filter", of(0), "the bpf match", "xt_bpf"),
                new Part("filter", unsealed("in"), "the policy match", "xt_policy"),
                new Part("mangle", setMark(), "the MARK target", "xt_mark"),
                new Part("filter", toThePort(), "the udp match", "xt_tcpudp"));
        var missing = new ArrayList<Part>();
        for (Part part : extensions) {
            if (!attempt(part.table, List.of(part.words)).done()) {
                missing.add(part);
            }
        }
        if (missing.isEmpty()) {
            return "the kernel has each part that the rules need: does another program change these tables?";
        }
        // Some versions have nftables' own words for UDP, none for the others.
        if (missing.size() >= 3 && !legacy) {
            return "the kernel lacks iptables' extensions to nftables: modprobe nft_compat xt_bpf xt_policy xt_mark,"
                    + " or set VXSEAL_FIREWALL=nftables";
        }
        return "the kernel lacks %s: modprobe %s, or set VXSEAL_FIREWALL=nftables".formatted(
                missing.stream().map(Part::name).collect(Collectors.joining(" and ")),
                missing.stream().map(Part::module).collect(Collectors.joining(" ")));
    }
}
