package io.vxseal.kernel;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.Stream;

/**
 * The rules by the distribution's iptables or ip6tables, either variant. They are those of the built-in driver (moby,
 * {@code overlay/encryption.go}, programMangle and programInput) and one that it lacks, with a matching program of our
 * own by which the two drivers' rules stay apart.
 *
 * <p>All changes of one call go in by one iptables-restore, which commits each table whole.
 */
final class IptablesFirewall implements Firewall {
    /** Seconds to wait for the lock that iptables' own processes hold against each other. */
    private static final int LOCK_WAIT = 30;

    /** Seconds after which a process that said nothing is ended. */
    private static final int PROCESS_WAIT = 60;

    /** More copies of a rule than this are not from here. */
    private static final int COPIES = 64;

    // iptables' exit statuses (include/xtables.h, enum xtables_exittype; iptables/iptables.c)
    private static final int DONE = 0;
    private static final int NO_SUCH_RULE = 1;
    private static final int RESOURCE_PROBLEM = 4;
    private static final int COMMAND_NOT_FOUND = 127;

    private final Transport transport;
    private final int port;
    private final int mark;
    private final List<String> prefix;
    private final String command;

    /** A check and the change that follows from it belong together. */
    private final ReentrantLock lock = new ReentrantLock();

    private IptablesFirewall(Transport transport, int port, int mark, List<String> prefix, String command) {
        this.transport = transport;
        this.port = port;
        this.mark = mark;
        this.prefix = List.copyOf(prefix);
        this.command = command;
    }

    /**
     * Finds the variant that the host's rules are in, since a packet meets the rules of both but an administrator, and
     * the order within a chain, only those of one: the legacy one if it has more rules than the other, else the one on
     * nf_tables; and the plain command where the distribution does not tell them apart. Looking changes nothing: the
     * -save commands, unlike -L, do not make tables.
     */
    static IptablesFirewall detect(Transport transport, int port, int mark, List<String> prefix)
            throws FirewallException {
        String plain = switch (transport) {
            case IPV4 -> "iptables";
            case IPV6 -> "ip6tables";
        };
        Optional<Integer> legacy = rules(prefix, plain + "-legacy");
        Optional<Integer> nft = rules(prefix, plain + "-nft");
        String command = plain;
        if (legacy.isPresent() && legacy.get() > nft.orElse(0)) {
            command = plain + "-legacy";
        } else if (nft.isPresent()) {
            command = plain + "-nft";
        } else if (run(prefix, List.of(plain, "--version"), "").status != DONE) {
            throw new FirewallException("cannot run " + plain + ": install the iptables package");
        }
        return using(transport, port, mark, prefix, command);
    }

    /** Rules by the named command, as in {@code "iptables-legacy"}, without looking for a better one. */
    static IptablesFirewall using(Transport transport, int port, int mark, List<String> prefix, String command) {
        return new IptablesFirewall(transport, port, mark, prefix, command);
    }

    /** How many rules the variant has, empty if it cannot be run or the kernel has no such tables. */
    private static Optional<Integer> rules(List<String> prefix, String variant) throws FirewallException {
        Outcome outcome = run(prefix, List.of(variant + "-save"), "");
        return outcome.status == DONE
                ? Optional.of((int) outcome.output.lines().filter(l -> l.startsWith("-A ")).count())
                : Optional.empty();
    }

    /** The command that makes the rules, for logs and tests. */
    String command() {
        return command;
    }

    /** A rule and its place. */
    private record Rule(String table, String chain, String insertion, List<String> match, List<String> target) {
        List<String> words() {
            return Stream.concat(match.stream(), target.stream()).toList();
        }

        /** As a line of iptables-restore's input, where words with spaces stand in quotes. */
        String line(String action) {
            var line = new StringBuilder(action).append(' ').append(chain);
            words().forEach(w -> line.append(' ').append(w.indexOf(' ') < 0 ? w : '"' + w + '"'));
            return line.append('\n').toString();
        }
    }

    private List<String> datagramsOf(int vni) {
        return List.of(
                "-p", "udp", "-m", "udp", "--dport", Integer.toString(port),
                "-m", "bpf", "--bytecode", VxlanMatch.bytecode(transport, vni));
    }

    private Rule marking(int vni) {
        return new Rule(
                "mangle", "OUTPUT", "-A", datagramsOf(vni),
                List.of("-j", "MARK", "--set-mark", Integer.toUnsignedString(mark)));
    }

    /** First in its chain, above anything by which an administrator accepts all VXLAN. */
    private Rule dropping(int vni, String chain, String direction) {
        List<String> unsealed = List.of("-m", "policy", "--dir", direction, "--pol", "none");
        return new Rule(
                "filter", chain, "-I",
                Stream.concat(unsealed.stream(), datagramsOf(vni).stream()).toList(),
                List.of("-j", "DROP"));
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
            var absent = new ArrayList<Rule>();
            var script = new StringBuilder();
            for (Rule rule : rules(vni)) {
                boolean present = isPresent(rule);
                script.append('*').append(rule.table).append('\n');
                if (present) {
                    // Taken out and put in again within one commit: it is first again if something came before it.
                    script.append(rule.line("-D"));
                } else {
                    absent.add(rule);
                }
                script.append(rule.line(rule.insertion)).append("COMMIT\n");
            }
            Outcome outcome = run(
                    prefix,
                    List.of(command + "-restore", "--noflush", "-w", Integer.toString(LOCK_WAIT)),
                    script.toString());
            if (outcome.status != DONE) {
                FirewallException refused = failure("protect VNI " + vni, outcome);
                for (Rule rule : absent) {
                    try {
                        remove(rule);
                    } catch (FirewallException e) {
                        refused.addSuppressed(e);
                    }
                }
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
            for (Rule rule : rules(vni).reversed()) {
                remove(rule);
            }
        } finally {
            lock.unlock();
        }
    }

    private boolean isPresent(Rule rule) throws FirewallException {
        Outcome outcome = apply("-C", rule);
        if (outcome.status == RESOURCE_PROBLEM || outcome.status == COMMAND_NOT_FOUND) {
            throw failure("look for the rule in " + rule.chain, outcome);
        }
        // A match that the kernel lacks is absence too: adding the rule will say so.
        return outcome.status == DONE;
    }

    private void remove(Rule rule) throws FirewallException {
        for (int copies = 0; copies < COPIES; copies++) {
            Outcome outcome = apply("-D", rule);
            if (outcome.status == NO_SUCH_RULE) {
                return;
            }
            if (outcome.status != DONE) {
                throw failure("remove the rule from " + rule.chain, outcome);
            }
        }
    }

    private Outcome apply(String action, Rule rule) throws FirewallException {
        var words = new ArrayList<String>(List.of(
                command, "-w", Integer.toString(LOCK_WAIT), "-t", rule.table, action, rule.chain));
        words.addAll(rule.words());
        return run(prefix, words, "");
    }

    private FirewallException failure(String what, Outcome outcome) {
        return new FirewallException("%s: %s exited with %d: %s; %s".formatted(
                what, command, outcome.status, outcome.output.strip().replace('\n', ' '), remedy(outcome.output)));
    }

    /** Which of the kernel's parts is missing, as far as the command's words tell, and how to get it. */
    private static String remedy(String said) {
        if (said.contains("Extension bpf")) {
            return "the kernel lacks the bpf match: modprobe xt_bpf";
        }
        if (said.contains("Extension policy")) {
            return "the kernel lacks the policy match: modprobe xt_policy";
        }
        if (said.contains("Extension MARK")) {
            return "the kernel lacks the MARK target: modprobe xt_mark";
        }
        if (said.contains("Table does not exist")) {
            return "the kernel lacks the table: modprobe iptable_mangle iptable_filter (ip6table_ for IPv6)";
        }
        if (said.contains("Permission denied") || said.contains("not permitted")) {
            return "the process needs CAP_NET_ADMIN in the host's network namespace";
        }
        if (said.contains("xtables lock") || said.contains("lock file")) {
            return "another program holds /run/xtables.lock, or it cannot be opened";
        }
        return "check that the kernel has xt_bpf, xt_policy and xt_mark, and nft_compat for iptables-nft";
    }

    /** How a command ended: its exit status and all that it wrote, errors included. */
    private record Outcome(int status, String output) {}

    private static Outcome run(List<String> prefix, List<String> command, String input) throws FirewallException {
        List<String> words = Stream.concat(prefix.stream(), command.stream()).toList();
        Process process;
        try {
            process = new ProcessBuilder(words).redirectErrorStream(true).start();
        } catch (IOException e) {
            return new Outcome(COMMAND_NOT_FOUND, e.getMessage());
        }
        Thread limit = Thread.ofVirtual().start(() -> endAfterLimit(process));
        try (var output = process.getInputStream()) {
            try (var stdin = process.getOutputStream()) {
                stdin.write(input.getBytes(StandardCharsets.UTF_8));
            } catch (IOException e) {
                // It ended without reading all; its status says why.
            }
            String said = new String(output.readAllBytes(), StandardCharsets.UTF_8);
            return new Outcome(process.waitFor(), said);
        } catch (IOException e) {
            throw new FirewallException("run " + String.join(" ", words), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new FirewallException("interrupted while running " + String.join(" ", words), e);
        } finally {
            process.destroyForcibly();
            limit.interrupt();
        }
    }

    private static void endAfterLimit(Process process) {
        try {
            if (!process.waitFor(PROCESS_WAIT, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (InterruptedException e) {
            // It ended by itself.
        }
    }
}
