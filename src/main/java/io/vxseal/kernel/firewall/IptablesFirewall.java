package io.vxseal.kernel.firewall;

import io.vxseal.kernel.xfrm.Xfrm;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Predicate;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The rules by the distribution's iptables or ip6tables, either variant, in chains of our own. A jump for each port leads
 * there from the top of INPUT and OUTPUT. A chain lets by what is ours and drops each segment's other datagrams, one rule
 * for each.
 *
 * <p>What is ours on its way out is spared mangle's OUTPUT, where rules of others may set a mark, which would have the
 * kernel choose another route.
 *
 * <p>Over IPv6, fragments come to INPUT one by one. A first fragment without a whole UDP header cannot be judged; it is
 * dropped by a chain of its own, whatever its port, as the kernel itself does since 5.11.
 *
 * <p>What stands is read with iptables-save, which makes no table that is not there. A table is changed by one commit,
 * which replaces our chains whole.
 */
final class IptablesFirewall implements Firewall {
    /** Seconds to wait for the lock that iptables' own processes hold against each other. */
    private static final String LOCK_WAIT = "30";

    /** Between reading and writing another program may take away what is to be replaced; hardly this often. */
    private static final int ATTEMPTS = 3;

    /** In the order to put rules in place: what drops stands first. */
    private static final List<String> TABLES = List.of("filter", "mangle");

    /** Of a -save command's line: words, and what stands in quotes. */
    private static final Pattern WORD = Pattern.compile("\"(?:[^\"\\\\]|\\\\.)*\"|\\S+");

    /** Targets, or none, after which a packet is gone or goes on with the next rule; any other might let it by. */
    private static final Set<String> BLIND_TARGETS = Set.of("", "DROP", "REJECT", "LOG", "NFLOG");

    /** What the names of all our chains begin with. */
    private static final String OURS = "VXSEAL-";

    private static final String INCOMING = OURS + "INPUT";
    private static final String OUTGOING = OURS + "OUTPUT";
    private static final String FRAGMENTS = OURS + "FRAGMENTS";

    /** A chain that packets never meet. */
    private static final String SCRATCH = OURS + "TRY";

    private final Transport transport;
    private final CommandRunner tools;
    private final String command;

    /** What is read and the change that follows from it belong together. */
    private final ReentrantLock lock = new ReentrantLock();

    private IptablesFirewall(Transport transport, CommandRunner tools, String command) {
        this.transport = transport;
        this.tools = tools;
        this.command = command;
    }

    /**
     * Finds the variant that the host's rules are in, since a packet meets the rules of both but an administrator, and
     * the order within a chain, only those of one: the one with the engine's chains; where that does not tell, the legacy
     * one if it has more rules than the other, or the other does not work; and the plain command where the distribution
     * does not tell them apart. Looking changes nothing.
     */
    static IptablesFirewall detect(Transport transport, CommandRunner tools) throws FirewallException {
        String command = plain(transport);
        Optional<Holding> nft = holding(tools, transport, "-nft");
        Optional<Holding> legacy = holding(tools, transport, "-legacy");
        if (legacy.isPresent() && (nft.isEmpty() || legacy.get().outweighs(nft.get()))) {
            command += "-legacy";
        } else if (nft.isPresent()) {
            command += "-nft";
        } else {
            CommandRunner.Outcome version = tools.run(List.of(command, "--version"));
            if (!version.done()) {
                throw version.failed("look for " + command, "install the iptables package");
            }
        }
        return using(transport, tools, command);
    }

    /** Rules by the named command, as in {@code "iptables-legacy"}, without looking for a better one. */
    static IptablesFirewall using(Transport transport, CommandRunner tools, String command) {
        return new IptablesFirewall(transport, tools, command);
    }

    /** The commands that there may be, where the distribution tells the variants apart. */
    static List<String> variants(Transport transport) {
        return List.of(plain(transport) + "-nft", plain(transport) + "-legacy");
    }

    /** Whether Docker's engine makes its rules by iptables, in whichever variant. */
    static boolean holdsTheEnginesRules(CommandRunner tools) throws FirewallException {
        for (String variant : variants(Transport.IPV4)) {
            if (holdsTheEnginesRules(tools.run(List.of(variant + "-save")))) {
                return true;
            }
        }
        return false;
    }

    private static boolean holdsTheEnginesRules(CommandRunner.Outcome saved) {
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
    private static Optional<Holding> holding(CommandRunner tools, Transport transport, String suffix) throws FirewallException {
        CommandRunner.Outcome saved = tools.run(List.of(plain(transport) + suffix + "-save"));
        if (saved.denied()) {
            throw saved.failed("look for the host's rules", CommandRunner.CAPABILITY);
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
     * A rule that leads to a chain of ours.
     *
     * @param chain the built-in chain that it stands in
     * @param words as the -save commands write them
     */
    private record Jump(String chain, List<String> words) {}

    /** What is to stand in a table: jumps, first in their chains, and our chains with their rules. */
    private record Wanted(List<Jump> jumps, Map<String, List<List<String>>> chains) {
        private static final Wanted NOTHING = new Wanted(List.of(), Map.of());
    }

    /**
     * What was found in a table.
     *
     * @param jumps rules that lead to chains of ours, and rules of version 0.1.0, which had no chains
     * @param overtaken those of the jumps that stand below a rule that might let a packet by
     * @param chains our chains with their rules
     */
    private record Found(List<Jump> jumps, Set<Jump> overtaken, Map<String, List<List<String>>> chains) {
        private Found() {
            this(new ArrayList<>(), new HashSet<>(), new LinkedHashMap<>());
        }

        private boolean is(Wanted wanted) {
            return overtaken.isEmpty()
                    && counted(jumps).equals(counted(wanted.jumps))
                    && ordered(chains).equals(ordered(wanted.chains));
        }

        /** Whether a jump stands once and in its place. */
        private boolean has(Jump jump) {
            return !overtaken.contains(jump)
                    && jumps.stream().filter(found -> alike(found, jump)).count() == 1;
        }

        private static boolean alike(Jump one, Jump other) {
            return one.chain.equals(other.chain) && sorted(one.words).equals(sorted(other.words));
        }

        private static Map<List<String>, Long> counted(List<Jump> jumps) {
            return jumps.stream().collect(Collectors.groupingBy(
                    jump -> Stream.concat(Stream.of(jump.chain), sorted(jump.words).stream()).toList(), Collectors.counting()));
        }

        private static Map<String, List<List<String>>> ordered(Map<String, List<List<String>>> chains) {
            return chains.entrySet().stream().collect(Collectors.toMap(
                    Map.Entry::getKey, chain -> chain.getValue().stream().map(IptablesFirewall::sorted).toList()));
        }
    }

    /** Versions print a rule's matches in different orders. */
    private static List<String> sorted(List<String> words) {
        return words.stream().sorted().toList();
    }

    private static List<String> words(String line) {
        return WORD.matcher(line).results().map(MatchResult::group).toList();
    }

    private static String targetOf(List<String> words) {
        int jump = Math.max(words.indexOf("-j"), words.indexOf("-g"));
        return jump < 0 || jump + 1 == words.size() ? "" : words.get(jump + 1);
    }

    private static List<String> toPort(int port) {
        return List.of("-p", "udp", "-m", "udp", "--dport", Integer.toString(port));
    }

    private List<String> of(int vni) {
        return List.of("-m", "bpf", "--bytecode", '"' + VxlanMatch.bytecode(transport, vni) + '"');
    }

    /** Our IPsec anywhere in a packet's way: there may be others' around it. */
    private static List<String> ours(String direction) {
        return List.of("-m", "policy", "--dir", direction, "--pol", "ipsec", "--reqid", Integer.toString(Xfrm.REQID),
                "--proto", "esp", "--mode", "transport");
    }

    /** A socket of this namespace sent it. */
    private static List<String> ofAProcess() {
        return List.of("-m", "owner", "--socket-exists");
    }

    /** No socket of this namespace sent it. */
    private static List<String> ofNoProcess() {
        return List.of("-m", "owner", "!", "--socket-exists");
    }

    private static List<String> firstFragment() {
        return List.of("-m", "frag", "--fragfirst");
    }

    private static List<String> to(String target) {
        return List.of("-j", target);
    }

    @SafeVarargs
    private static List<String> joined(List<String>... words) {
        var joined = new ArrayList<String>();
        for (List<String> some : words) {
            joined.addAll(some);
        }
        return joined;
    }

    private Wanted wanted(String table, Set<Segment> segments) {
        if (segments.isEmpty()) {
            return Wanted.NOTHING;
        }
        var jumps = new ArrayList<Jump>();
        var chains = new LinkedHashMap<String, List<List<String>>>();
        Set<Integer> ports = segments.stream().map(Segment::port).collect(Collectors.toCollection(TreeSet::new));
        if (table.equals("mangle")) {
            ports.forEach(port -> jumps.add(new Jump("OUTPUT", joined(toPort(port), to(OUTGOING)))));
            chains.put(OUTGOING, List.of(joined(ofNoProcess(), ours("out"), to("ACCEPT"))));
            return new Wanted(jumps, chains);
        }
        for (int port : ports) {
            jumps.add(new Jump("INPUT", joined(toPort(port), to(INCOMING))));
            jumps.add(new Jump("OUTPUT", joined(toPort(port), to(OUTGOING))));
        }
        chains.put(INCOMING, dropping(List.of(joined(ours("in"), to("RETURN"))), segments));
        chains.put(OUTGOING, dropping(
                List.of(joined(ofAProcess(), to("DROP")), joined(ours("out"), to("RETURN"))), segments));
        if (transport == Transport.IPV6) {
            jumps.add(new Jump("INPUT", joined(firstFragment(), to(FRAGMENTS))));
            jumps.add(new Jump("OUTPUT", joined(firstFragment(), to(FRAGMENTS))));
            chains.put(FRAGMENTS, List.of(
                    List.of("!", "-p", "udp", "-j", "RETURN"),
                    // Without a port that can be read there is none in this range.
                    List.of("-p", "udp", "-m", "udp", "--dport", "1:65535", "-j", "RETURN"),
                    to("DROP")));
        }
        return new Wanted(jumps, chains);
    }

    /** The rules of a chain that drops all of the segments but what the first rules let by. */
    private List<List<String>> dropping(List<List<String>> first, Set<Segment> segments) {
        return Stream.concat(first.stream(), new TreeSet<>(segments).stream().map(this::dropping)).toList();
    }

    private List<String> dropping(Segment segment) {
        return joined(toPort(segment.port()), of(segment.vni()), to("DROP"));
    }

    @Override
    public void protect(Set<Segment> segments) throws FirewallException {
        lock.lock();
        try {
            Map<String, Found> before = read();
            Set<Segment> stood = segments(before);
            Set<Segment> wanted = new TreeSet<>(stood);
            wanted.addAll(segments);
            try {
                change("protect " + inWords(segments), before, wanted);
            } catch (FirewallException refused) {
                takeBack(stood, refused);
                throw refused;
            }
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void unprotect(Set<Segment> segments) throws FirewallException {
        lock.lock();
        try {
            Map<String, Found> before = read();
            Set<Segment> stood = segments(before);
            Set<Segment> wanted = new TreeSet<>(stood);
            wanted.removeAll(segments);
            if (!wanted.equals(stood)) {
                change("unprotect " + inWords(segments), before, wanted);
            }
        } finally {
            lock.unlock();
        }
    }

    @Override
    public int restore(Set<Segment> segments) throws FirewallException {
        lock.lock();
        try {
            CommandRunner.Outcome saved = save();
            if (segments.isEmpty() && !saved.done() && !saved.denied()) {
                // No such command here, or no such tables in the kernel: then there are no rules either.
                return 0;
            }
            Map<String, Found> before = read(saved);
            if (script(before, segments).isEmpty()) {
                return 0;
            }
            Set<Segment> wrong = new TreeSet<>(segments(before));
            wrong.removeAll(segments);
            segments.stream().filter(Predicate.not(segment -> stands(segment, before))).forEach(wrong::add);
            change("restore the rules of " + inWords(wrong), before, segments);
            return Math.max(1, wrong.size());
        } finally {
            lock.unlock();
        }
    }

    @Override
    public Set<Segment> standing() throws FirewallException {
        return segments(read());
    }

    private static String inWords(Set<Segment> segments) {
        return segments.size() == 1 ? segments.iterator().next().toString() : segments.size() + " segments";
    }

    /** Whether all that a segment needs is there: jumps, what our chains begin with, and its own rules. */
    private boolean stands(Segment segment, Map<String, Found> found) {
        return TABLES.stream().allMatch(table -> {
            Found there = found.get(table);
            Wanted wanted = wanted(table, Set.of(segment));
            return wanted.jumps.stream().allMatch(there::has)
                    && wanted.chains.entrySet().stream().allMatch(chain ->
                            holds(there.chains.getOrDefault(chain.getKey(), List.of()), chain.getValue()));
        });
    }

    /** Whether a chain begins as wanted and has each of the rules once. */
    private static boolean holds(List<List<String>> rules, List<List<String>> wanted) {
        List<List<String>> there = rules.stream().map(IptablesFirewall::sorted).toList();
        return !there.isEmpty()
                && there.getFirst().equals(sorted(wanted.getFirst()))
                && wanted.stream().allMatch(rule -> Collections.frequency(there, sorted(rule)) == 1);
    }

    /** Makes the rules be those of exactly these segments. */
    private void change(String what, Map<String, Found> before, Set<Segment> segments) throws FirewallException {
        Map<String, Found> found = before;
        for (int attempt = 1; ; attempt++) {
            String script = script(found, segments);
            if (script.isEmpty()) {
                return;
            }
            CommandRunner.Outcome outcome = commit(script);
            if (outcome.done()) {
                return;
            }
            // Where nothing was to be taken away, nobody else can have done so.
            if (attempt == ATTEMPTS || found.values().stream().allMatch(table -> table.jumps.isEmpty())) {
                throw outcome.failed(what, remedy(outcome));
            }
            found = read();
        }
    }

    private String script(Map<String, Found> found, Set<Segment> segments) {
        var script = new StringBuilder();
        for (String table : TABLES) {
            Wanted wanted = wanted(table, segments);
            if (!found.get(table).is(wanted)) {
                script.append('*').append(table).append('\n').append(lines(found.get(table), wanted)).append("COMMIT\n");
            }
        }
        return script.toString();
    }

    private static String lines(Found found, Wanted wanted) {
        var lines = new StringBuilder();
        // A chain that is there already is emptied by this.
        Stream.concat(found.chains.keySet().stream(), wanted.chains.keySet().stream())
                .distinct()
                .forEach(chain -> lines.append(":%s - [0:0]\n".formatted(chain)));
        found.jumps.forEach(jump -> lines.append("-D %s %s\n".formatted(jump.chain, String.join(" ", jump.words))));
        wanted.jumps.forEach(jump -> lines.append("-I %s %s\n".formatted(jump.chain, String.join(" ", jump.words))));
        wanted.chains.forEach((chain, rules) ->
                rules.forEach(rule -> lines.append("-A %s %s\n".formatted(chain, String.join(" ", rule)))));
        found.chains.keySet().stream()
                .filter(Predicate.not(wanted.chains::containsKey))
                .forEach(chain -> lines.append("-X %s\n".formatted(chain)));
        return lines.toString();
    }

    /** What was put in place before one table was refused goes again. */
    private void takeBack(Set<Segment> stood, FirewallException refused) {
        try {
            change("take back what was put in place", read(), stood);
        } catch (FirewallException e) {
            refused.addSuppressed(e);
        }
    }

    private CommandRunner.Outcome commit(String script) throws FirewallException {
        return tools.run(List.of(command + "-restore", "--noflush", "-w", LOCK_WAIT), script);
    }

    private CommandRunner.Outcome save() throws FirewallException {
        return tools.run(List.of(command + "-save"));
    }

    private Map<String, Found> read() throws FirewallException {
        return read(save());
    }

    /** All that is ours, by table. */
    private Map<String, Found> read(CommandRunner.Outcome saved) throws FirewallException {
        if (saved.notFound() || saved.denied()) {
            throw saved.failed("read the rules", remedy(saved));
        }
        Optional<String> hidden = TABLES.stream().filter(t -> saved.says("`" + t + "' is incompatible")).findFirst();
        if (hidden.isPresent()) {
            throw new UnreadableRulesException(("%s cannot list table %s: another program made rules there with nft;"
                    + " remove them, or set VXSEAL_FIREWALL=nftables").formatted(command, hidden.get()));
        }
        if (!saved.done()) {
            throw new UnreadableRulesException(
                    saved.failure("read the rules", "see what " + command + "-save says, or set VXSEAL_FIREWALL=nftables"));
        }
        var tables = new HashMap<String, Found>();
        TABLES.forEach(table -> tables.put(table, new Found()));
        var overtaken = new HashSet<String>();
        String table = "";
        for (String line : saved.output().lines().toList()) {
            if (line.startsWith("*")) {
                table = line.substring(1);
                overtaken.clear();
            } else if (tables.containsKey(table)) {
                read(table, line, tables.get(table), overtaken);
            }
        }
        return tables;
    }

    private void read(String table, String line, Found found, Set<String> overtaken) {
        if (line.startsWith(":" + OURS)) {
            found.chains.putIfAbsent(line.substring(1, line.indexOf(' ')), new ArrayList<>());
            return;
        }
        if (!line.startsWith("-A ")) {
            return;
        }
        List<String> all = words(line);
        String chain = all.get(1);
        List<String> words = all.subList(2, all.size());
        if (chain.startsWith(OURS)) {
            found.chains.computeIfAbsent(chain, _ -> new ArrayList<>()).add(words);
        } else if (targetOf(words).startsWith(OURS) || isEarlier(table, chain, words)) {
            var jump = new Jump(chain, words);
            found.jumps.add(jump);
            if (overtaken.contains(chain)) {
                found.overtaken.add(jump);
            }
        } else if (!BLIND_TARGETS.contains(targetOf(words))) {
            overtaken.add(chain);
        }
    }

    /** Whether it is a rule of version 0.1.0: its program, chain and target. */
    private boolean isEarlier(String table, String chain, List<String> words) {
        String place = table + " " + chain + " " + targetOf(words);
        return Set.of("filter INPUT DROP", "filter OUTPUT DROP", "mangle OUTPUT MARK").contains(place)
                && segment(words).isPresent();
    }

    private Set<Segment> segments(Map<String, Found> tables) {
        return tables.values().stream()
                .flatMap(found -> Stream.concat(
                        found.chains.values().stream().flatMap(List::stream), found.jumps.stream().map(Jump::words)))
                .flatMap(words -> segment(words).stream())
                .collect(Collectors.toCollection(TreeSet::new));
    }

    private Optional<Segment> segment(List<String> words) {
        int program = words.indexOf("--bytecode");
        int port = words.indexOf("--dport");
        if (program < 0 || port < 0 || !words.get(port + 1).matches("\\d{1,5}")) {
            return Optional.empty();
        }
        OptionalInt vni = VxlanMatch.vni(transport, words.get(program + 1).replace("\"", ""));
        return vni.isPresent()
                ? Optional.of(new Segment(Integer.parseInt(words.get(port + 1)), vni.getAsInt()))
                : Optional.empty();
    }

    /** Tries rules where no packet meets them, and takes them away again. */
    private CommandRunner.Outcome attempt(String table, List<String> words) throws FirewallException {
        // Two commits: the legacy variant shows the kernel only what a commit leaves.
        return commit("*%1$s\n:%2$s - [0:0]\n-A %2$s %3$s\nCOMMIT\n*%1$s\n-F %2$s\n-X %2$s\nCOMMIT\n"
                .formatted(table, SCRATCH, String.join(" ", words)));
    }

    private String remedy(CommandRunner.Outcome outcome) throws FirewallException {
        if (outcome.notFound()) {
            return "install the iptables package";
        }
        if (outcome.denied()) {
            return CommandRunner.CAPABILITY;
        }
        if (outcome.says("xtables lock") || outcome.says("lock file")) {
            return "another program holds /run/xtables.lock, or it cannot be opened";
        }
        if (outcome.says("incompatible")) {
            return "another program makes rules in that table with nft: set VXSEAL_FIREWALL=nftables";
        }
        return missing();
    }

    /** What a rule of these words alone needs of the kernel. */
    private record Part(List<String> words, String name, String module) {}

    /**
     * What the kernel lacks and how to get it. The tools' own words may name an extension, or no more than a line that
     * needs several; so each is tried by itself.
     */
    private String missing() throws FirewallException {
        boolean legacy = command.endsWith("-legacy");
        for (String table : TABLES) {
            if (!attempt(table, List.of()).done()) {
                String module = legacy ? plain(transport).replace("tables", "table_") + table : "nf_tables";
                return "the kernel lacks %s' table %s: modprobe %s".formatted(plain(transport), table, module);
            }
        }
        var extensions = new ArrayList<>(List.of(
                new Part(of(0), "the bpf match", "xt_bpf"),
                new Part(ours("in"), "the policy match", "xt_policy"),
                new Part(ofNoProcess(), "the owner match", "xt_owner"),
                new Part(toPort(1), "the udp match", "xt_tcpudp")));
        if (transport == Transport.IPV6) {
            extensions.add(new Part(firstFragment(), "the frag match", "ip6t_frag"));
        }
        var missing = new ArrayList<Part>();
        for (Part part : extensions) {
            if (!attempt("filter", part.words).done()) {
                missing.add(part);
            }
        }
        if (missing.isEmpty()) {
            return "the kernel has each part that the rules need: does another program change these tables?";
        }
        // Some versions have nftables' own words for UDP, none for the others.
        if (missing.size() >= 3 && !legacy) {
            return "the kernel lacks iptables' extensions to nftables: modprobe nft_compat xt_bpf xt_policy xt_owner,"
                    + " or set VXSEAL_FIREWALL=nftables";
        }
        return "the kernel lacks %s: modprobe %s, or set VXSEAL_FIREWALL=nftables".formatted(
                missing.stream().map(Part::name).collect(Collectors.joining(" and ")),
                missing.stream().map(Part::module).collect(Collectors.joining(" ")));
    }
}
