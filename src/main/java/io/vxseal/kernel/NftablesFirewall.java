package io.vxseal.kernel;

import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.locks.ReentrantLock;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * The rules by nft, in a table of our own with a set of VNIs. The table is for both IPs, and is replaced whole with every
 * change, in one transaction, so no packet meets less than it had.
 */
final class NftablesFirewall implements Firewall {
    private static final List<String> NFT = List.of("nft", "-f", "-");

    /** The kernel looks at all of it and commits nothing. */
    private static final List<String> TRY = List.of("nft", "-c", "-f", "-");

    private static final String FAMILY = "inet";
    private static final String TABLE = "vxseal";

    /** For what is only tried. */
    private static final String SCRATCH = "vxseal-try";

    /** The upper 24 bits of the second word behind the UDP header's 8 octets (RFC 7348). */
    private static final String VNI = "@th,96,24";

    /** What nft prints of the set: numbers, with or without 0x. */
    private static final Pattern ELEMENTS = Pattern.compile("elements = \\{([^}]*)}");

    private static final Pattern NUMBER = Pattern.compile("\\w+");

    /** What the rules need of the kernel, the first thing first: a ruleset with family and table left open. */
    private record Part(String ruleset, String remedy) {
        static Part chain(String type, String rule, String remedy) {
            return new Part("table %s %s { chain try { " + type + "; " + rule + "; }; }", remedy);
        }
    }

    private static final List<Part> PARTS = List.of(
            new Part("table %s %s", "the kernel lacks nftables (CONFIG_NF_TABLES, _INET): modprobe nf_tables"),
            new Part(
                    "table %s %s { set vnis { typeof " + VNI + "; elements = { 1 }; }; }",
                    "the kernel lacks nftables' sets: modprobe nf_tables_set, or use kernel 5.10 or later"),
            Part.chain(
                    "type filter hook input priority 0",
                    "accept",
                    "the kernel lacks nftables' chains of type filter: use kernel 5.10 or later"),
            Part.chain(
                    "type route hook output priority 0",
                    "accept",
                    "the kernel lacks nftables' chains of type route for both IPs: use kernel 5.10 or later"),
            Part.chain(
                    "type filter hook input priority 0",
                    "meta secpath missing drop",
                    "the kernel's nftables lacks \"meta secpath\": use one with CONFIG_XFRM"),
            Part.chain(
                    "type filter hook output priority 0",
                    "rt ipsec missing drop",
                    "the kernel's nftables lacks \"rt ipsec\": use kernel 5.10 or later with CONFIG_XFRM"));

    private final int port;
    private final int mark;
    private final Tools tools;

    /** What is read, the change that follows from it, and {@link #written}. */
    private final ReentrantLock lock = new ReentrantLock();

    /** The table as nft printed it after the last change: each version prints in its own way. */
    private String written = "";

    NftablesFirewall(int port, int mark, Tools tools) {
        this.port = port;
        this.mark = mark;
        this.tools = tools;
    }

    /** Whether Docker's engine makes its rules by nftables: it has tables of this name, for either IP. */
    boolean holdsTheEnginesRules() throws FirewallException {
        return tools.run(List.of("nft", "list", "tables"))
                .output()
                .lines()
                .anyMatch(line -> line.matches("table ip6? docker-bridges"));
    }

    @Override
    public void protect(int vni) throws FirewallException {
        lock.lock();
        try {
            String now = read();
            Set<Integer> vnis = vnis(now);
            if (vnis.add(vni) || !now.equals(written)) {
                write("protect VNI " + vni, vnis);
            }
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void unprotect(int vni) throws FirewallException {
        lock.lock();
        try {
            Set<Integer> vnis = vnis(read());
            if (vnis.remove(vni)) {
                write("unprotect VNI " + vni, vnis);
            }
        } finally {
            lock.unlock();
        }
    }

    @Override
    public int restore(Set<Integer> vnis) throws FirewallException {
        lock.lock();
        try {
            String before = read();
            Set<Integer> found = vnis(before);
            if (before.equals(written) && found.equals(vnis)) {
                return 0;
            }
            write("restore the rules of VNIs " + vnis, vnis);
            // An earlier process's table may have been right: how this nft prints a right one is known only now.
            Set<Integer> wrong = new TreeSet<>(vnis);
            wrong.addAll(found);
            if (rules(before).equals(rules(written))) {
                wrong.removeIf(vni -> vnis.contains(vni) && found.contains(vni));
            }
            return wrong.size();
        } finally {
            lock.unlock();
        }
    }

    /** All of the listing but the set's elements. */
    private static String rules(String listing) {
        return ELEMENTS.matcher(listing).replaceAll("");
    }

    private static Set<Integer> vnis(String listing) {
        return ELEMENTS.matcher(listing)
                .results()
                .flatMap(elements -> NUMBER.matcher(elements.group(1)).results())
                .map(MatchResult::group)
                .map(Integer::decode)
                .collect(Collectors.toCollection(TreeSet::new));
    }

    /** The table as nft prints it, empty if there is none, nor an nft or a kernel that could have made one. */
    private String read() throws FirewallException {
        Tools.Outcome outcome = tools.run(List.of("nft", "list", "table", FAMILY, TABLE));
        if (outcome.denied()) {
            throw failure("read table " + TABLE, outcome);
        }
        return outcome.done() ? outcome.output() : "";
    }

    private void write(String what, Set<Integer> vnis) throws FirewallException {
        // Deleting fails where there is nothing, so an empty one is made first.
        String replacing = "table %1$s %2$s\ndelete table %1$s %2$s\n".formatted(FAMILY, TABLE);
        Tools.Outcome outcome = tools.run(NFT, vnis.isEmpty() ? replacing : replacing + ruleset(vnis));
        if (!outcome.done()) {
            throw failure(what, outcome);
        }
        written = vnis.isEmpty() ? "" : read();
    }

    /**
     * What other tables accept, this one drops all the same, so the order among them does not matter to what comes in. What
     * leaves is judged last: after every chain that may set another mark, which has the kernel choose the route, and with
     * it the policy, anew.
     */
    private String ruleset(Set<Integer> vnis) {
        return """
                table %s %s {
                    set vnis {
                        typeof %s
                        elements = { %s }
                    }
                    chain incoming {
                        type filter hook input priority filter - 10; policy accept;
                        udp dport %d %s @vnis meta secpath missing drop
                    }
                    chain marking {
                        type route hook output priority mangle; policy accept;
                        udp dport %d %s @vnis meta mark set %d
                    }
                    chain outgoing {
                        type filter hook output priority 300; policy accept;
                        udp dport %d %s @vnis rt ipsec missing drop
                    }
                }
                """.formatted(
                FAMILY, TABLE, VNI, vnis.stream().map(String::valueOf).collect(Collectors.joining(", ")),
                port, VNI, port, VNI, mark, port, VNI);
    }

    private FirewallException failure(String what, Tools.Outcome outcome) throws FirewallException {
        return outcome.failed(what, remedy(outcome));
    }

    private String remedy(Tools.Outcome outcome) throws FirewallException {
        if (outcome.notFound()) {
            return "install the nftables package, or set VXSEAL_FIREWALL=iptables";
        }
        if (outcome.denied()) {
            return Tools.CAPABILITY;
        }
        for (Part part : PARTS) {
            if (!tools.run(TRY, part.ruleset.formatted(FAMILY, SCRATCH)).done()) {
                return part.remedy + ", or set VXSEAL_FIREWALL=iptables";
            }
        }
        return "the kernel has each part that the rules need: does another program change this table?";
    }

    @Override
    public String toString() {
        return "nftables";
    }
}
