package io.vxseal.kernel.firewall;

import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.locks.ReentrantLock;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A firewall by nft: a table of its own with a set of segments, for IPv4 and IPv6. Every change replaces the table in one
 * transaction, so no packet meets fewer rules than before.
 *
 * <p>nftables finds the UDP header as the kernel's stack does, behind any chain of IPv6 extension headers. It cannot match a
 * state's protocol and mode, so the reqid alone identifies our IPsec.
 *
 * <p>Over IPv6, fragments reach INPUT one by one. A first fragment without a complete UDP header cannot be classified; it is
 * dropped, whatever its port, as the kernel itself does since 5.11.
 */
final class NftablesFirewall implements Firewall {
    private static final List<String> NFT = List.of("nft", "-f", "-");

    /** Has the kernel check a ruleset without committing it. */
    private static final List<String> CHECK = List.of("nft", "-c", "-f", "-");

    private static final String FAMILY = "inet";
    private static final String TABLE = "vxseal";

    /** Name of a table that is only checked. */
    private static final String SCRATCH = "vxseal-try";

    /** The VNI: the upper 24 bits of the second word behind the UDP header's 8 octets (RFC 7348). */
    private static final String VNI = "@th,96,24";

    /** Matches packets that a socket of this namespace sent; others have no owner. */
    private static final String OF_PROCESS = "meta skuid != 4294967295";

    /** An element of the set of segments as nft prints it: a pair of numbers, with or without 0x. */
    private static final Pattern SEGMENT = Pattern.compile("\\b(\\d{1,5}) \\. (0x[0-9a-fA-F]{1,6}|\\d{1,8})\\b");

    /** The set of VNIs of version 0.1.0. */
    private static final Pattern EARLIER_SET = Pattern.compile("set vnis \\{[^}]*?elements = \\{([^}]*)}");

    /** A rule of version 0.1.0, with the port. */
    private static final Pattern EARLIER_RULE = Pattern.compile("udp dport (\\d{1,5}) @th,96,24 @vnis ");
    private static final Pattern NUMBER = Pattern.compile("\\w+");

    /** The elements of any set. */
    private static final Pattern ELEMENTS = Pattern.compile("elements = \\{[^}]*}");

    /**
     * A part of the kernel that the rules need.
     *
     * @param ruleset one that needs the part, with family and table left open
     */
    private record Part(String ruleset, String remedy) {
        static Part rule(String hook, String rule, String remedy) {
            return new Part(
                    "table %s %s { chain try { type filter hook " + hook + " priority 0; " + rule + "; }; }", remedy);
        }
    }

    /** In an order in which each part needs those before it. */
    private static final List<Part> PARTS = List.of(
            new Part("table %s %s", "the kernel lacks nftables (CONFIG_NF_TABLES, _INET): modprobe nf_tables"),
            new Part(
                    "table %s %s { set segments { typeof udp dport . " + VNI + "; elements = { 1 . 1 }; }; }",
                    "the kernel lacks nftables' sets: modprobe nf_tables_set, or use kernel 5.10 or later"),
            Part.rule("input", "accept", "the kernel lacks nftables' chains of type filter: use kernel 5.10 or later"),
            Part.rule(
                    "input",
                    "ipsec in reqid 1 return",
                    "the kernel's nftables lacks \"ipsec\" (CONFIG_NFT_XFRM): modprobe nft_xfrm"),
            Part.rule(
                    "output",
                    OF_PROCESS + " drop",
                    "the kernel's nftables lacks \"meta skuid\": use kernel 5.10 or later"),
            Part.rule(
                    "input",
                    "frag frag-off 0 drop",
                    "the kernel's nftables lacks \"frag\": use kernel 5.10 or later"));

    private final CommandRunner runner;

    /** Guards the table from reading it to the change that follows, and {@link #written}. Held over nft. */
    private final ReentrantLock lock = new ReentrantLock();

    /** The table as nft printed it after the last change: each version prints in its own way. */
    private String written = "";

    NftablesFirewall(CommandRunner runner) {
        this.runner = runner;
    }

    /** Returns whether Docker's engine makes its rules by nftables: it has tables with this name, one for each IP. */
    boolean hasEngineRules() throws FirewallException {
        return runner.run(List.of("nft", "list", "tables"))
                .output()
                .lines()
                .anyMatch(line -> line.matches("table ip6? docker-bridges"));
    }

    @Override
    public void protect(Set<Segment> segments) throws FirewallException {
        lock.lock();
        try {
            String now = read();
            Set<Segment> wanted = segments(now);
            if (wanted.addAll(segments) || !now.equals(written)) {
                write("protect " + Segment.summary(segments), wanted);
            }
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void unprotect(Set<Segment> segments) throws FirewallException {
        lock.lock();
        try {
            Set<Segment> wanted = segments(read());
            if (wanted.removeAll(segments)) {
                write("unprotect " + Segment.summary(segments), wanted);
            }
        } finally {
            lock.unlock();
        }
    }

    @Override
    public int restore(Set<Segment> segments) throws FirewallException {
        lock.lock();
        try {
            CommandRunner.Outcome listed = list();
            if (segments.isEmpty() && lacksNftables(listed)) {
                return 0;
            }
            String before = read(listed);
            Set<Segment> found = segments(before);
            if (before.equals(written) && found.equals(segments)) {
                return 0;
            }
            Set<Segment> wrong = new TreeSet<>(segments);
            wrong.addAll(found);
            write("restore the rules of " + Segment.summary(wrong), segments);
            // An earlier process's table may have been right: only now is it known how this nft prints a right one.
            if (rules(before).equals(rules(written))) {
                wrong.removeIf(segment -> segments.contains(segment) && found.contains(segment));
            }
            return wrong.size();
        } finally {
            lock.unlock();
        }
    }

    @Override
    public Set<Segment> protectedSegments() throws FirewallException {
        return segments(read());
    }

    /** Returns the listing without the elements of the sets. */
    private static String rules(String listing) {
        return ELEMENTS.matcher(listing).replaceAll("");
    }

    private static Set<Segment> segments(String listing) {
        var segments = SEGMENT.matcher(listing)
                .results()
                .map(pair -> new Segment(Integer.parseInt(pair.group(1)), Integer.decode(pair.group(2))))
                .collect(Collectors.toCollection(TreeSet::new));
        Matcher rule = EARLIER_RULE.matcher(listing);
        Matcher vnis = EARLIER_SET.matcher(listing);
        if (rule.find() && vnis.find()) {
            int port = Integer.parseInt(rule.group(1));
            NUMBER.matcher(vnis.group(1)).results()
                    .map(vni -> new Segment(port, Integer.decode(vni.group())))
                    .forEach(segments::add);
        }
        return segments;
    }

    private CommandRunner.Outcome list() throws FirewallException {
        return runner.run(List.of("nft", "list", "table", FAMILY, TABLE));
    }

    private String read() throws FirewallException {
        return read(list());
    }

    /** Returns the table as nft printed it; empty if there is no table, or no nft that could have made one. */
    private String read(CommandRunner.Outcome listed) throws FirewallException {
        if (listed.done()) {
            return listed.output();
        }
        if (listed.notFound() || listed.says("Error: No such file or directory")) {
            return "";
        }
        throw listed.failed("read table " + TABLE, remedy(listed));
    }

    /** Returns whether the kernel lacks nf_tables, or its inet family; then there is no table of ours either. */
    private static boolean lacksNftables(CommandRunner.Outcome listed) {
        return listed.says("Protocol not supported")
                || listed.says("Operation not supported")
                || listed.says("cache initialization failed: Invalid argument");
    }

    private void write(String what, Set<Segment> segments) throws FirewallException {
        // Deleting a missing table fails, so it is added first.
        String deletion = "table %1$s %2$s\ndelete table %1$s %2$s\n".formatted(FAMILY, TABLE);
        CommandRunner.Outcome outcome = runner.run(NFT, segments.isEmpty() ? deletion : deletion + ruleset(segments));
        if (!outcome.done()) {
            throw outcome.failed(what, remedy(outcome));
        }
        written = segments.isEmpty() ? "" : read();
    }

    /**
     * Returns the table for the segments. A packet that another table accepts still meets this one, so the order among tables
     * does not matter for incoming packets. The chain for outgoing ones comes last, after every chain that may set another
     * mark, because the kernel then chooses the route, and with it the policy, again.
     */
    private static String ruleset(Set<Segment> segments) {
        return """
                table %s %s {
                    set segments {
                        typeof udp dport . %s
                        elements = { %s }
                    }
                    set ports {
                        type inet_service
                        elements = { %s }
                    }
                    chain unsealed {
                        udp dport . %s @segments drop
                        %s 0 return
                        %s != 0 return
                        drop
                    }
                    chain fragments {
                        meta l4proto != udp return
                        udp dport != 0 return
                        drop
                    }
                    chain arriving {
                        %s
                        goto unsealed
                    }
                    chain leaving {
                        %s drop
                        %s
                        goto unsealed
                    }
                    chain incoming {
                        type filter hook input priority filter - 10; policy accept;
                        udp dport @ports jump arriving
                        frag frag-off 0 jump fragments
                    }
                    chain outgoing {
                        type filter hook output priority 300; policy accept;
                        udp dport @ports jump leaving
                        frag frag-off 0 jump fragments
                    }
                }
                """.formatted(
                FAMILY, TABLE, VNI,
                joined(segments.stream().map(segment -> segment.port() + " . " + segment.vni()), ", "),
                joined(segments.stream().map(Segment::port).distinct().map(String::valueOf), ", "),
                VNI, VNI, VNI,
                joined(SealedPriority.sealedBy("in").map(sealed -> sealed + " return"), "\n"),
                OF_PROCESS,
                joined(SealedPriority.sealedBy("out").map(sealed -> sealed + " return"), "\n"));
    }

    private static String joined(Stream<String> words, String between) {
        return words.collect(Collectors.joining(between));
    }

    private String remedy(CommandRunner.Outcome outcome) throws FirewallException {
        if (outcome.notFound()) {
            return "install the nftables package, or set VXSEAL_FIREWALL=iptables";
        }
        if (outcome.denied()) {
            return CommandRunner.CAPABILITY;
        }
        for (Part part : PARTS) {
            if (!runner.run(CHECK, part.ruleset.formatted(FAMILY, SCRATCH)).done()) {
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
