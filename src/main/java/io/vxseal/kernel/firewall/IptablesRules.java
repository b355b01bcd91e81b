package io.vxseal.kernel.firewall;

import io.vxseal.kernel.xfrm.SecurityPolicy;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The rules that one table of iptables must contain. Rules are lists of words as the -save commands print them.
 *
 * @param jumps the first rules of built-in chains, which lead to our chains
 * @param chains our chains with their rules
 */
record IptablesRules(List<Jump> jumps, Map<String, List<List<String>>> chains) {
    static final String FILTER = "filter";
    static final String MANGLE = "mangle";

    /** Tables with rules, in the order to commit them: the rules that drop come first. */
    static final List<String> TABLES = List.of(FILTER, MANGLE);

    /** Prefix of the names of all our chains. */
    static final String CHAIN_PREFIX = "VXSEAL-";

    private static final String INCOMING = CHAIN_PREFIX + "INPUT";
    static final String OUTGOING = CHAIN_PREFIX + "OUTPUT";
    private static final String FRAGMENTS = CHAIN_PREFIX + "FRAGMENTS";

    private static final IptablesRules NONE = new IptablesRules(List.of(), Map.of());

    /** A rule that leads to one of our chains, from a built-in {@code chain}. */
    record Jump(String chain, List<String> words) {}

    /** Returns the rules of a table for exactly these segments. */
    static IptablesRules of(Firewall.Transport transport, String table, Set<Segment> segments) {
        if (segments.isEmpty()) {
            return NONE;
        }
        return table.equals(MANGLE) ? ofMangle(segments) : ofFilter(transport, segments);
    }

    /** Spares sealed datagrams the rules of others, which may set a mark and so have the kernel choose another route. */
    private static IptablesRules ofMangle(Set<Segment> segments) {
        List<Jump> jumps = ports(segments).stream()
                .map(port -> new Jump("OUTPUT", joined(toPort(port), to(OUTGOING))))
                .toList();
        return new IptablesRules(
                jumps, Map.of(OUTGOING, List.of(joined(ofNoProcess(), sealed("out"), to("ACCEPT")))));
    }

    private static IptablesRules ofFilter(Firewall.Transport transport, Set<Segment> segments) {
        var jumps = new ArrayList<Jump>();
        for (int port : ports(segments)) {
            jumps.add(new Jump("INPUT", joined(toPort(port), to(INCOMING))));
            jumps.add(new Jump("OUTPUT", joined(toPort(port), to(OUTGOING))));
        }
        var chains = new LinkedHashMap<String, List<List<String>>>();
        chains.put(INCOMING, dropping(
                List.of(joined(sealed("in"), to("RETURN"))), transport, segments));
        chains.put(OUTGOING, dropping(
                List.of(joined(ofProcess(), to("DROP")), joined(sealed("out"), to("RETURN"))), transport, segments));
        if (transport == Firewall.Transport.IPV6) {
            jumps.add(new Jump("INPUT", joined(firstFragment(), to(FRAGMENTS))));
            jumps.add(new Jump("OUTPUT", joined(firstFragment(), to(FRAGMENTS))));
            chains.put(FRAGMENTS, List.of(
                    List.of("!", "-p", "udp", "-j", "RETURN"),
                    // The range matches no packet whose port cannot be read.
                    List.of("-p", "udp", "-m", "udp", "--dport", "1:65535", "-j", "RETURN"),
                    to("DROP")));
        }
        return new IptablesRules(jumps, chains);
    }

    private static Set<Integer> ports(Set<Segment> segments) {
        return segments.stream().map(Segment::port).collect(Collectors.toCollection(TreeSet::new));
    }

    /** Returns the exceptions, then one rule for each segment that drops its datagrams. */
    private static List<List<String>> dropping(
            List<List<String>> exceptions, Firewall.Transport transport, Set<Segment> segments) {
        return Stream.concat(
                        exceptions.stream(),
                        new TreeSet<>(segments).stream().map(segment ->
                                joined(toPort(segment.port()), ofVni(transport, segment.vni()), to("DROP"))))
                .toList();
    }

    static List<String> toPort(int port) {
        return List.of("-p", "udp", "-m", "udp", "--dport", Integer.toString(port));
    }

    static List<String> ofVni(Firewall.Transport transport, int vni) {
        return List.of("-m", "bpf", "--bytecode", '"' + VxlanMatch.bytecode(transport, vni) + '"');
    }

    /** Matches packets with one of our states anywhere in their security path, which may contain others' states, too. */
    static List<String> sealed(String direction) {
        return List.of("-m", "policy", "--dir", direction, "--pol", "ipsec", "--reqid", Integer.toString(SecurityPolicy.REQID),
                "--proto", "esp", "--mode", "transport");
    }

    /** Matches packets that a socket of this namespace sent. */
    private static List<String> ofProcess() {
        return List.of("-m", "owner", "--socket-exists");
    }

    /** Matches packets that no socket of this namespace sent. */
    static List<String> ofNoProcess() {
        return List.of("-m", "owner", "!", "--socket-exists");
    }

    static List<String> firstFragment() {
        return List.of("-m", "frag", "--fragfirst");
    }

    private static List<String> to(String target) {
        return List.of("-j", target);
    }

    @SafeVarargs
    private static List<String> joined(List<String>... words) {
        List<String> joined = new ArrayList<>();
        for (List<String> some : words) {
            joined.addAll(some);
        }
        return joined;
    }
}
