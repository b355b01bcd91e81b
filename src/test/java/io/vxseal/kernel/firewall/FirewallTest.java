package io.vxseal.kernel.firewall;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vxseal.kernel.Packet;
import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.firewall.Firewall.Backend;
import io.vxseal.kernel.firewall.Firewall.Transport;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests of what all firewalls have in common: rules read with their own tools, and datagrams that meet them. */
class FirewallTest {
    private static final int PORT = 4789;
    private static final int VNI = 4097;
    private static final int OTHER_VNI = 0xabcdef;
    private static final Segment SEGMENT = new Segment(PORT, VNI);
    private static final Segment OTHER = new Segment(4790, OTHER_VNI);

    /** The built-in driver's program: it compares the VNI in place, without a shift. */
    private static final String BUILT_IN =
            "6,177 0 0 0,64 0 0 12,84 0 0 4294967040,21 0 1 1048832,6 0 0 4294967295,6 0 0 0";

    /** A firewall and its transport. */
    enum Kind {
        IPTABLES_NFT("iptables-nft", Transport.IPV4),
        IPTABLES_LEGACY("iptables-legacy", Transport.IPV4),
        IP6TABLES_NFT("ip6tables-nft", Transport.IPV6),
        IP6TABLES_LEGACY("ip6tables-legacy", Transport.IPV6),
        NFTABLES("nft", Transport.IPV4),
        NFTABLES_IPV6("nft", Transport.IPV6);

        final String command;
        final Transport transport;

        Kind(String command, Transport transport) {
            this.command = command;
            this.transport = transport;
        }

        boolean nftables() {
            return command.equals("nft");
        }

        boolean ipv6() {
            return transport == Transport.IPV6;
        }

        Firewall firewall(TestHost host) {
            var tools = CommandRunner.in(host.namespace());
            return nftables() ? new NftablesFirewall(tools) : new IptablesFirewall(new IptablesCommand(transport, tools, command));
        }

        /** Returns all rules in the tool's words, with handles where it has them, so that a recreated rule is a different one. */
        String ruleset(TestHost host) {
            return nftables() || command.endsWith("-nft")
                    ? host.run("nft -a list ruleset")
                    : host.run(command + "-save").replaceAll("(?m)^#.*\n", "");
        }

        /** Segments, one for each rule that has it. */
        List<Segment> protectedSegments(TestHost host) {
            Pattern pattern = Pattern.compile(nftables()
                    ? "(\\d+) \\. (0x\\w+)"
                    : "-A VXSEAL-\\w+ .*--dport (\\d+) .*,21 0 1 (\\d+),.* -j DROP");
            String ruleset = nftables() ? host.run("nft list ruleset") : host.run(command + "-save");
            return pattern.matcher(ruleset).results()
                    .map(match -> new Segment(Integer.parseInt(match.group(1)), Integer.decode(match.group(2))))
                    .sorted()
                    .toList();
        }

        /** What {@link #protectedSegments} says when these have their rules, and have them once. */
        List<Segment> once(Segment... segments) {
            int rules = nftables() ? 1 : 2;
            return Stream.of(segments).sorted().flatMap(s -> Collections.nCopies(rules, s).stream()).toList();
        }

        /** Flushes the rules, as a firewall's reload does with those that are not its own. */
        void flush(TestHost host) {
            if (nftables()) {
                host.run("nft flush ruleset");
            } else {
                host.run(command + " -w -F");
                host.run(command + " -w -t mangle -F");
            }
        }

        /** Lines that are rules, in their order; of nft, those with the verdicts used here. */
        List<String> rules(TestHost host) {
            String pattern = nftables() ? "\\s+.*(drop|accept|return|(goto|jump) \\w+)" : "-A .*";
            return host.run(nftables() ? "nft list ruleset" : command + "-save")
                    .lines()
                    .filter(line -> line.matches(pattern))
                    .toList();
        }

        /** Adds the built-in driver's rules. That driver does not use nftables, so rules with the same effect replace them there. */
        void addTheBuiltInDriversRules(TestHost host) {
            if (nftables()) {
                host.run("nft add table inet theirs");
                host.run("nft add chain inet theirs in { type filter hook input priority -300 ; }");
                host.run("nft add rule inet theirs in udp dport 4789 @th,96,24 4097 meta secpath missing drop");
            } else {
                String datagrams = " -p udp --dport 4789 -m bpf --bytecode " + BUILT_IN.replace(' ', '_');
                host.run(words(command + " -w -I INPUT -m policy --dir in --pol none" + datagrams + " -j DROP"));
                host.run(words(command + " -w -t mangle -A OUTPUT" + datagrams + " -j MARK --set-mark 13681891"));
            }
        }

        /** Adds rules that accept everything, above all others, as an administrator may. */
        void acceptAll(TestHost host) {
            if (nftables()) {
                host.run("nft add table inet mine");
                for (String hook : List.of("input", "output")) {
                    host.run("nft add chain inet mine " + hook + " { type filter hook " + hook + " priority -300 ; }");
                    host.run("nft add rule inet mine " + hook + " accept");
                }
            } else {
                host.run(command + " -w -I INPUT -j ACCEPT");
                host.run(command + " -w -I OUTPUT -j ACCEPT");
            }
        }
    }

    private static List<String> words(String command) {
        return Stream.of(command.split(" ")).map(word -> word.replace('_', ' ')).toList();
    }

    @TempDir
    Path folder;

    private TestHost host;

    @BeforeEach
    void open() throws Exception {
        host = new TestHost(folder.resolve("net"));
    }

    @AfterEach
    void close() throws Exception {
        host.close();
    }

    @ParameterizedTest
    @EnumSource
    void makesRulesOnceAcrossRestartsAndRemovesAll(Kind kind) throws Exception {
        kind.firewall(host).protect(Set.of(SEGMENT));
        kind.firewall(host).protect(Set.of(SEGMENT));
        Firewall firewall = kind.firewall(host);
        firewall.protect(Set.of(OTHER));
        firewall.protect(Set.of(OTHER));
        assertThat(kind.protectedSegments(host)).isEqualTo(kind.once(SEGMENT, OTHER));
        assertThat(kind.firewall(host).installed().segments()).containsExactly(SEGMENT, OTHER);

        firewall.unprotect(Set.of(SEGMENT));
        assertThat(kind.protectedSegments(host)).isEqualTo(kind.once(OTHER));
        assertThat(kind.ruleset(host)).doesNotContain("4789");
        firewall.unprotect(Set.of(OTHER));
        firewall.unprotect(Set.of(OTHER));
        assertThat(firewall.installed().segments()).isEmpty();
        assertThat(kind.ruleset(host)).doesNotContain("-A ", "vxseal", "VXSEAL");
    }

    @ParameterizedTest
    @EnumSource
    void restoreRepairsReloadedFirewall(Kind kind) throws Exception {
        Firewall firewall = kind.firewall(host);
        firewall.protect(Set.of(SEGMENT));
        assertThat(firewall.restore(Set.of(SEGMENT, OTHER))).isEqualTo(1);
        kind.flush(host);
        assertThat(firewall.restore(Set.of(SEGMENT, OTHER))).isEqualTo(2);
        assertThat(kind.protectedSegments(host)).isEqualTo(kind.once(SEGMENT, OTHER));
    }

    @ParameterizedTest
    @EnumSource
    void restoreWritesNothingIfAllIsRight(Kind kind) throws Exception {
        Firewall firewall = kind.firewall(host);
        assertThat(firewall.restore(Set.of())).isZero();
        assertThat(kind.ruleset(host)).as("looking made tables").isEmpty();
        firewall.protect(Set.of(SEGMENT, OTHER));
        String before = kind.ruleset(host);
        assertThat(firewall.restore(Set.of(SEGMENT, OTHER))).isZero();
        firewall.protect(Set.of(SEGMENT));
        assertThat(kind.ruleset(host)).isEqualTo(before);
        assertThat(kind.firewall(host).restore(Set.of(SEGMENT, OTHER))).as("after a restart").isZero();
    }

    @ParameterizedTest
    @EnumSource
    void restoreRemovesSegmentsOfEarlierProcess(Kind kind) throws Exception {
        kind.firewall(host).protect(Set.of(SEGMENT, OTHER));
        Firewall firewall = kind.firewall(host);
        Segment moved = new Segment(4791, VNI);
        assertThat(firewall.restore(Set.of(moved))).isEqualTo(3);
        assertThat(kind.protectedSegments(host)).isEqualTo(kind.once(moved));
        assertThat(kind.ruleset(host)).contains("4791").doesNotContain("4789", "4790");
        assertThat(firewall.restore(Set.of())).isEqualTo(1);
        assertThat(kind.ruleset(host)).doesNotContain("-A ", "vxseal", "VXSEAL");
    }

    @ParameterizedTest
    @EnumSource
    void restoreRepairsMissingRule(Kind kind) throws Exception {
        Firewall firewall = kind.firewall(host);
        firewall.protect(Set.of(SEGMENT));
        var losses = new ArrayList<String>();
        if (kind.nftables()) {
            for (String chain : List.of("incoming", "arriving", "outgoing", "leaving", "unsealed_in", "unsealed_out", "fragments_in", "fragments_out")) {
                losses.add("nft flush chain inet vxseal " + chain);
            }
            losses.addAll(List.of("nft delete table inet vxseal", "nft flush set inet vxseal segments",
                    "nft flush set inet vxseal ports"));
        } else {
            for (String chain : List.of("INPUT", "OUTPUT", "VXSEAL-INPUT", "VXSEAL-OUTPUT")) {
                losses.add(kind.command + " -F " + chain);
            }
            losses.add(kind.command + " -D VXSEAL-INPUT 1");
            losses.add(kind.command + " -t mangle -F OUTPUT");
            losses.add(kind.command + " -t mangle -F VXSEAL-OUTPUT");
            if (kind.ipv6()) {
                losses.add(kind.command + " -F VXSEAL-FRAGMENTS");
            }
        }
        String right = kind.ruleset(host).replaceAll("# handle \\d+", "");
        for (String loss : losses) {
            host.run(loss);
            assertThat(firewall.restore(Set.of(SEGMENT))).as(loss).isEqualTo(1);
            assertThat(kind.ruleset(host).replaceAll("# handle \\d+", "")).as(loss).isEqualTo(right);
            assertThat(firewall.restore(Set.of(SEGMENT))).as(loss).isZero();
        }
    }

    /** Unsealed datagrams of a protected segment neither leave nor come in, whatever other rules accept; others come in. */
    @ParameterizedTest
    @EnumSource
    void dropsOnlyDatagramsOfSegment(Kind kind) throws Exception {
        Firewall firewall = kind.firewall(host);
        var segment = new Segment(PORT, OTHER_VNI);
        firewall.protect(Set.of(segment, new Segment(4790, VNI)));
        kind.acceptAll(host);
        firewall.restore(Set.of(segment, new Segment(4790, VNI)));
        assertThat(send(kind, OTHER_VNI).output()).contains("Operation not permitted");
        assertThat(arrived(kind)).isZero();

        letOut(kind);
        assertThat(send(kind, OTHER_VNI).output()).isEmpty();
        assertThat(arrived(kind)).isZero();
        assertThat(send(kind, OTHER_VNI - 1).output()).isEmpty();
        assertThat(send(kind, OTHER_VNI ^ 0x800000).output()).isEmpty();
        assertThat(send(kind, VNI).output()).as("protected on another port").isEmpty();
        assertThat(arrived(kind)).isEqualTo(3);
    }

    /** Counters begin anew with each replacement of the rules; the sum does not. */
    @ParameterizedTest
    @EnumSource
    void countsWhatItDropsAcrossChangesOfRules(Kind kind) throws Exception {
        Firewall firewall = kind.firewall(host);
        firewall.protect(Set.of(SEGMENT));
        send(kind, VNI);
        assertThat(firewall.restore(Set.of(SEGMENT))).as("rules that have counted are right").isZero();
        assertThat(firewall.drops()).isEqualTo(new Drops(0, 1));
        letOut(kind);
        send(kind, VNI);
        firewall.restore(Set.of(SEGMENT));
        assertThat(firewall.drops()).isEqualTo(new Drops(1, 1));
        firewall.restore(Set.of(SEGMENT));
        assertThat(firewall.drops()).as("after the counters began anew").isEqualTo(new Drops(1, 1));
        send(kind, VNI);
        firewall.restore(Set.of(SEGMENT));
        assertThat(firewall.drops()).isEqualTo(new Drops(1, 2));
        send(kind, VNI);
        Firewall afterARestart = kind.firewall(host);
        afterARestart.restore(Set.of(SEGMENT));
        assertThat(afterARestart.drops()).as("what the kernel has counted meanwhile").isEqualTo(new Drops(0, 2));
        firewall.unprotect(Set.of(SEGMENT));
        assertThat(firewall.drops().incoming()).isOne();
        assertThat(firewall.drops().outgoing()).as("without rules").isGreaterThanOrEqualTo(2);
    }

    /** In CVE-2026-92542 a process's datagram was marked, and so sealed, like one of the network's. */
    @ParameterizedTest
    @EnumSource
    void dropsDatagramsOfProcesses(Kind kind) throws Exception {
        kind.firewall(host).protect(Set.of(SEGMENT));
        byte[] datagram = Packet.udp(PORT, Packet.vxlan(VNI));
        for (String user : List.of("root", "nobody")) {
            assertThat(udp(kind, user, 0, datagram).output()).as(user).contains("Operation not permitted");
        }
        // A process with CAP_NET_RAW may set the mark.
        assertThat(udp(kind, "root", 0x76D0C4E3, datagram).output()).contains("Operation not permitted");
        assertThat(udp(kind, "nobody", 0, Packet.udp(PORT, Packet.vxlan(VNI + 1))).output())
                .as("what follows in the same aggregate may be of the segment").contains("Operation not permitted");
        assertThat(udp(kind, "nobody", 0, Packet.udp(PORT + 1, Packet.vxlan(VNI))).output()).isEmpty();
        assertThat(arrived(kind)).as("to a port of no segment").isEqualTo(1);
    }

    /** Both conditions are required. */
    @ParameterizedTest
    @EnumSource
    void acceptsOnlySealedDatagramsThatNoSocketSent(Kind kind) throws Exception {
        kind.firewall(host).protect(Set.of(SEGMENT));
        List<String> rules = kind.rules(host);
        if (kind.nftables()) {
            assertThat(rules.stream().map(String::strip)).containsSubsequence(
                    "ipsec in reqid 13681891 return", "ipsec in spnum 5 reqid 13681891 return", "goto unsealed_in",
                    "meta skuid != 4294967295 counter name \"dropped_out\" drop",
                    "ipsec out reqid 13681891 return", "ipsec out spnum 5 reqid 13681891 return", "goto unsealed_out");
        } else {
            String ours = " --pol ipsec --reqid 13681891 --proto esp --mode transport -j ";
            assertThat(rules).containsSubsequence(
                    "-A OUTPUT -p udp -m udp --dport 4789 -j VXSEAL-OUTPUT",
                    "-A VXSEAL-OUTPUT -m owner ! --socket-exists -m policy --dir out" + ours + "ACCEPT");
            assertThat(rules).containsSubsequence(
                    "-A INPUT -p udp -m udp --dport 4789 -j VXSEAL-INPUT", "-A VXSEAL-INPUT -m policy --dir in" + ours + "RETURN");
            assertThat(rules).containsSequence(
                    "-A VXSEAL-OUTPUT -m owner --socket-exists -j DROP", "-A VXSEAL-OUTPUT -m policy --dir out" + ours + "RETURN");
        }
    }

    /** Datagrams of a VXLAN device in a network's namespace have no socket here; without our state they are dropped. */
    @ParameterizedTest
    @EnumSource
    void dropsUnsealedDatagramsOfVxlanDevice(Kind kind) throws Exception {
        String local = kind.ipv6() ? "fd00:55::1" : "10.55.0.1";
        String remote = kind.ipv6() ? "fd00:55::2" : "10.55.0.2";
        host.run("ip link add wire type veth peer name eriw");
        host.run("ip link set eriw up");
        host.run("ip link set wire up");
        host.run("ip address add " + local + (kind.ipv6() ? "/64 dev wire nodad" : "/24 dev wire"));
        host.run("ip neigh add " + remote + " lladdr 02:42:00:00:00:01 dev wire");
        host.run("nft add table netdev witness");
        host.run(List.of("nft", "add chain netdev witness in { type filter hook ingress device eriw priority 0; }"));
        for (int vni : List.of(VNI, VNI + 1)) {
            host.run("nft add rule netdev witness in udp dport 4789 @th,96,24 " + vni + " counter");
        }
        Firewall firewall = kind.firewall(host);
        firewall.protect(Set.of(SEGMENT));
        try (TestHost overlay = new TestHost(folder.resolve("overlay"))) {
            for (int vni : List.of(VNI, VNI + 1)) {
                host.run("ip link add vx%d type vxlan id %d dstport 4789 local %s remote %s udp6zerocsumrx"
                        .formatted(vni, vni, local, remote));
                host.run("ip link set vx%d netns %s".formatted(vni, overlay.pin));
                overlay.run("ip link set vx%d up".formatted(vni));
                overlay.run("ip address add 10.44.%d.1/24 dev vx%d".formatted(vni - VNI, vni));
                overlay.run("ip neigh add 10.44.%d.2 lladdr 02:42:00:00:00:02 dev vx%d".formatted(vni - VNI, vni));
            }
            for (int network : List.of(0, 1)) {
                overlay.run(List.of("bash", "-c", "echo x > /dev/udp/10.44." + network + ".2/9"));
            }
            assertThat(packets(VNI)).isZero();
            assertThat(packets(VNI + 1)).as("of a segment that is not protected").isPositive();
            firewall.unprotect(Set.of(SEGMENT));
            overlay.run(List.of("bash", "-c", "echo x > /dev/udp/10.44.0.2/9"));
            assertThat(packets(VNI)).as("once it is not protected").isPositive();
        }
    }

    /** Returns the datagrams of the VNI that reached the other end of the wire. */
    private int packets(int vni) {
        var counter = Pattern.compile("0x%x counter packets (\\d+)".formatted(vni))
                .matcher(host.run("nft list table netdev witness"));
        assertThat(counter.find()).isTrue();
        return Integer.parseInt(counter.group(1));
    }

    private int packets(String listing) {
        var counter = Pattern.compile("counter packets (\\d+)").matcher(host.run(listing));
        assertThat(counter.find()).isTrue();
        return Integer.parseInt(counter.group(1));
    }

    /** The UDP header of a clear datagram is found, or the datagram is dropped. With another VNI each is accepted. */
    @ParameterizedTest
    @EnumSource(names = {"IPTABLES_NFT", "IPTABLES_LEGACY", "NFTABLES"})
    void dropsCraftedClearIpv4Datagrams(Kind kind) throws Exception {
        byte[] options = {1, 1, 1, 1, 1, 1, 1, 0};
        byte[] secret = Packet.udp(PORT, Packet.vxlan(VNI));
        byte[] plain = Packet.udp(PORT, Packet.vxlan(VNI + 1));
        kind.firewall(host).protect(Set.of(SEGMENT));
        assertThat(raw(kind, Packet.ipv4(options, secret)).output()).contains("Operation not permitted");
        assertThat(raw(kind, Packet.ipv4(new byte[0], Packet.udp(PORT, new byte[6]))).output())
                .as("too short for a VNI").contains("Operation not permitted");
        assertThat(raw(kind, Packet.ipv4Fragment(0, true, Arrays.copyOf(secret, 8))).output())
                .as("a first fragment without the VNI").contains("Operation not permitted");
        letOut(kind);
        assertThat(raw(kind, Packet.ipv4(options, plain)).output()).isEmpty();
        assertThat(arrived(kind)).isEqualTo(1);
        assertThat(raw(kind, Packet.ipv4(options, secret)).output()).isEmpty();
        raw(kind, Packet.ipv4Fragment(0, true, Arrays.copyOf(secret, 8)));
        raw(kind, Packet.ipv4Fragment(8, false, Arrays.copyOfRange(secret, 8, secret.length)));
        assertThat(arrived(kind)).isEqualTo(1);
        raw(kind, Packet.ipv4Fragment(0, true, Arrays.copyOf(plain, 8)));
        raw(kind, Packet.ipv4Fragment(8, false, Arrays.copyOfRange(plain, 8, plain.length)));
        assertThat(arrived(kind)).as("of another VNI, in fragments").isEqualTo(2);
    }

    /** Covers each way to hide the VNI, in both directions. */
    @ParameterizedTest
    @EnumSource(names = {"IP6TABLES_NFT", "IP6TABLES_LEGACY", "NFTABLES_IPV6"})
    void dropsCraftedClearIpv6Datagrams(Kind kind) throws Exception {
        byte[] secret = Packet.udp6(PORT, Packet.vxlan(VNI));
        Map<String, byte[]> hidden = new LinkedHashMap<>();
        hidden.put("as it is", Packet.ipv6(17, secret));
        for (int header : List.of(Packet.HOP_BY_HOP, Packet.DESTINATION)) {
            hidden.put("header " + header, Packet.ipv6(header, Packet.options(17, 1), secret));
        }
        hidden.put("16 headers", Packet.ipv6(Packet.DESTINATION, Packet.manyOptions(16), secret));
        hidden.put("17 headers", Packet.ipv6(Packet.DESTINATION, Packet.manyOptions(17), secret));
        hidden.put("an atomic fragment", Packet.ipv6(Packet.FRAGMENT, Packet.fragment(17, 0, false), secret));
        hidden.put("options behind a fragment header",
                Packet.ipv6(Packet.FRAGMENT, Packet.fragment(Packet.DESTINATION, 0, false), Packet.options(17, 1), secret));
        hidden.put("too short for a VNI", Packet.ipv6(17, Packet.udp6(PORT, new byte[6])));
        hidden.put("a first fragment with the VNI",
                Packet.ipv6(Packet.FRAGMENT, Packet.fragment(17, 0, true), Arrays.copyOf(secret, 24)));
        hidden.put("a first fragment without the VNI",
                Packet.ipv6(Packet.FRAGMENT, Packet.fragment(17, 0, true), Arrays.copyOf(secret, 8)));
        hidden.put("a first fragment without the UDP header",
                Packet.ipv6(Packet.FRAGMENT, Packet.fragment(Packet.DESTINATION, 0, true), Packet.options(17, 1)));
        kind.firewall(host).protect(Set.of(SEGMENT));
        hidden.forEach((way, packet) -> assertThat(raw(kind, packet).output()).as(way).contains("Operation not permitted"));
        letOut(kind);
        host.run("nft add table ip6 witness");
        host.run(List.of("nft", "add chain ip6 witness in { type filter hook input priority 200; }"));
        // What the firewall let by; errors that the kernel sends are none of it.
        host.run("nft add rule ip6 witness in meta l4proto != icmpv6 counter");
        hidden.forEach((way, packet) -> {
            raw(kind, packet);
            assertThat(packets("nft list table ip6 witness")).as(way).isZero();
        });
        assertThat(arrived(kind)).isZero();
    }

    /** Built-in networks over IPv6 fragment datagrams that are too long for the wire. */
    @ParameterizedTest
    @EnumSource(names = {"IP6TABLES_NFT", "IP6TABLES_LEGACY", "NFTABLES_IPV6"})
    void acceptsIpv6FragmentsOfOtherVni(Kind kind) throws Exception {
        kind.firewall(host).protect(Set.of(SEGMENT));
        letOut(kind);
        byte[] plain = Packet.udp6(PORT, Packet.vxlan(VNI + 1));
        raw(kind, Packet.ipv6(Packet.FRAGMENT, Packet.fragment(17, 0, true), Arrays.copyOf(plain, 24)));
        raw(kind, Packet.ipv6(Packet.FRAGMENT, Packet.fragment(17, 24, false), Arrays.copyOfRange(plain, 24, plain.length)));
        assertThat(arrived(kind)).isEqualTo(1);
        byte[] other = Packet.udp6(9, new byte[30]);
        raw(kind, Packet.ipv6(Packet.FRAGMENT, Packet.fragment(17, 0, true), Arrays.copyOf(other, 8)));
        raw(kind, Packet.ipv6(Packet.FRAGMENT, Packet.fragment(17, 8, false), Arrays.copyOfRange(other, 8, other.length)));
        assertThat(arrived(kind)).as("to another port").isEqualTo(2);
    }

    @ParameterizedTest
    @EnumSource
    void keepsRulesOfOthers(Kind kind) throws Exception {
        kind.acceptAll(host);
        kind.addTheBuiltInDriversRules(host);
        List<String> theirs = kind.rules(host);
        Firewall firewall = kind.firewall(host);
        firewall.protect(Set.of(SEGMENT));
        firewall.restore(Set.of(SEGMENT, OTHER));
        assertThat(kind.rules(host)).containsSubsequence(theirs);
        firewall.unprotect(Set.of(SEGMENT));
        firewall.restore(Set.of());
        assertThat(kind.rules(host)).isEqualTo(theirs);
    }

    /** Its rule above ours does no harm, and moving ours up would start a race. */
    @ParameterizedTest
    @EnumSource
    void ignoresBuiltInDriversRulesAboveOurs(Kind kind) throws Exception {
        Firewall firewall = kind.firewall(host);
        firewall.protect(Set.of(SEGMENT));
        kind.addTheBuiltInDriversRules(host);
        String before = kind.ruleset(host);
        assertThat(firewall.restore(Set.of(SEGMENT))).isZero();
        assertThat(kind.ruleset(host)).isEqualTo(before);
    }

    /** The rules were copied from a host that ran version 0.1.0. */
    @ParameterizedTest
    @EnumSource
    void replacesRulesOfVersion010(Kind kind) throws Exception {
        addEarlierRules(kind);
        Firewall firewall = kind.firewall(host);
        assertThat(firewall.installed().segments()).containsExactly(SEGMENT);
        firewall.protect(Set.of(OTHER));
        assertThat(kind.protectedSegments(host)).as("taken up, not left open").isEqualTo(kind.once(SEGMENT, OTHER));
        assertThat(kind.ruleset(host)).doesNotContain("MARK", "-A INPUT -p udp -m policy", "mark set", "vnis");

        firewall.restore(Set.of());
        addEarlierRules(kind);
        assertThat(kind.firewall(host).restore(Set.of(SEGMENT))).isEqualTo(1);
        assertThat(kind.protectedSegments(host)).isEqualTo(kind.once(SEGMENT));
        assertThat(kind.ruleset(host)).doesNotContain("MARK", "-A INPUT -p udp -m policy", "mark set", "vnis");
    }

    private void addEarlierRules(Kind kind) {
        if (kind.nftables()) {
            host.run(List.of("nft", """
                    table inet vxseal {
                        set vnis { typeof @th,96,24; elements = { 4097 }; }
                        chain incoming { type filter hook input priority filter - 10; policy accept;
                            udp dport 4789 @th,96,24 @vnis meta secpath missing drop; }
                        chain marking { type route hook output priority mangle; policy accept;
                            udp dport 4789 @th,96,24 @vnis meta mark set 0xd0c4e3; }
                        chain outgoing { type filter hook output priority 300; policy accept;
                            udp dport 4789 @th,96,24 @vnis rt ipsec missing drop; }
                    }"""));
            return;
        }
        String program = "6,%s,64_0_0_12,116_0_0_8,21_0_1_4097,6_0_0_4294967295,6_0_0_0"
                .formatted(kind.ipv6() ? "1_0_0_40" : "177_0_0_0");
        String datagrams = " -p udp --dport 4789 -m bpf --bytecode " + program;
        host.run(words(kind.command + " -w -I INPUT -m policy --dir in --pol none" + datagrams + " -j DROP"));
        host.run(words(kind.command + " -w -I OUTPUT -m policy --dir out --pol none" + datagrams + " -j DROP"));
        host.run(words(kind.command + " -w -t mangle -A OUTPUT" + datagrams + " -j MARK --set-mark 13681891"));
    }

    @ParameterizedTest
    @CsvSource({"IPTABLES, NFTABLES", "NFTABLES, IPTABLES", "NFTABLES, AUTO"})
    void switchingBackendRemovesRulesOfTheOther(Backend from, Backend to) throws Exception {
        for (Transport transport : Transport.values()) {
            choose(from, transport).protect(Set.of(SEGMENT));
        }
        Firewall firewall = choose(to, Transport.IPV4);
        assertThat(firewall.installed().segments()).containsExactly(SEGMENT);
        firewall.protect(Set.of(SEGMENT));
        assertThat(firewall.restore(Set.of(SEGMENT))).isZero();
        List<Kind> kinds = List.of(Kind.IPTABLES_NFT, Kind.IP6TABLES_NFT, Kind.NFTABLES);
        Kind now = to == Backend.NFTABLES ? Kind.NFTABLES : Kind.IPTABLES_NFT;
        for (Kind kind : kinds) {
            assertThat(kind.protectedSegments(host)).as(kind.name()).isEqualTo(kind == now ? kind.once(SEGMENT) : List.of());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"iptables-legacy", "iptables-nft"})
    void switchingVariantRemovesRulesOfTheOther(String before) throws Exception {
        new IptablesFirewall(new IptablesCommand(Transport.IPV4, CommandRunner.in(host.namespace()), before)).protect(Set.of(SEGMENT));
        String now = before.equals("iptables-nft") ? "iptables-legacy" : "iptables-nft";
        host.run(now + " -w -N DOCKER");
        choose(Backend.AUTO, Transport.IPV4).restore(Set.of(SEGMENT));
        assertThat(host.run(before + "-save")).doesNotContain("-A ", "VXSEAL");
        assertThat(host.run(now + "-save")).contains("VXSEAL-INPUT", "VXSEAL-OUTPUT");
    }

    @Test
    void autoChoosesFirewallOfEngine() throws Exception {
        assertThat(chosen(Backend.AUTO)).isEqualTo("iptables-nft");
        host.run("nft add table ip docker-bridges");
        assertThat(chosen(Backend.AUTO)).isEqualTo("nftables");
        assertThat(chosen(Backend.IPTABLES)).isEqualTo("iptables-nft");
        host.run("iptables-legacy -w -N DOCKER");
        assertThat(chosen(Backend.AUTO)).isEqualTo("iptables-legacy");
        assertThat(chosen(Backend.NFTABLES)).isEqualTo("nftables");
    }

    /** One such rule took all encrypted networks of a node down although our rules were in place. */
    @ParameterizedTest
    @EnumSource(Backend.class)
    void failsOverToNftablesIfIptablesCannotList(Backend backend) throws Exception {
        host.run("iptables-nft -w -A FORWARD -j ACCEPT");
        Firewall firewall = choose(backend, Transport.IPV4);
        firewall.protect(Set.of(SEGMENT));
        host.run("nft add chain ip filter OPS");
        host.run("nft add rule ip filter OPS ct state established accept");

        firewall.protect(Set.of(OTHER));
        assertThat(firewall.installed().segments()).containsExactly(SEGMENT, OTHER);
        assertThat(firewall.restore(Set.of(SEGMENT, OTHER))).isZero();
        assertThat(Kind.NFTABLES.protectedSegments(host)).isEqualTo(Kind.NFTABLES.once(SEGMENT, OTHER));
        assertThat(firewall).hasToString(
                backend == Backend.NFTABLES ? "nftables" : "nftables (iptables cannot list its rules)");
        host.run("nft flush table inet vxseal");
        assertThat(firewall.restore(Set.of(SEGMENT, OTHER))).isEqualTo(2);
        firewall.unprotect(Set.of(OTHER));
        assertThat(Kind.NFTABLES.protectedSegments(host)).isEqualTo(Kind.NFTABLES.once(SEGMENT));

        host.run("nft delete chain ip filter OPS");
        firewall.restore(Set.of(SEGMENT));
        boolean nftables = backend == Backend.NFTABLES;
        assertThat(firewall).hasToString(nftables ? "nftables" : "iptables-nft");
        assertThat(Kind.NFTABLES.protectedSegments(host)).isEqualTo(nftables ? List.of(SEGMENT) : List.of());
        assertThat(Kind.IPTABLES_NFT.protectedSegments(host))
                .isEqualTo(nftables ? List.of() : Kind.IPTABLES_NFT.once(SEGMENT));
    }

    /** The output of iptables-save must not appear in a message. */
    @Test
    void errorsContainNoRulesOfHost() throws Exception {
        host.run("iptables-nft -A FORWARD -s 192.0.2.77 -j ACCEPT");
        host.run("nft add rule ip filter FORWARD rt ipsec missing accept");
        IptablesFirewall firewall = new IptablesFirewall(new IptablesCommand(Transport.IPV4, CommandRunner.in(host.namespace()), "iptables-nft"));
        assertThatThrownBy(() -> firewall.protect(Set.of(SEGMENT)))
                .isInstanceOf(FirewallException.class)
                .message()
                .hasSizeLessThanOrEqualTo(300)
                .doesNotContain("192.0.2.77", "\n")
                .contains("table filter", "set VXSEAL_FIREWALL=nftables");
    }

    @Test
    void namesMissingPackage() {
        List<String> nowhere = List.of("env", "PATH=/nowhere");
        assertThatThrownBy(() -> new FirewallDetector(Backend.IPTABLES, host.namespace(), nowhere).detect(Transport.IPV4))
                .isInstanceOf(FirewallException.class)
                .hasMessageContaining("install the iptables package");
        assertThatThrownBy(() -> new FirewallDetector(Backend.AUTO, host.namespace(), nowhere).detect(Transport.IPV6))
                .isInstanceOf(FirewallException.class)
                .hasMessageContaining("install the iptables package");
        assertThatThrownBy(() -> new FirewallDetector(Backend.NFTABLES, host.namespace(), nowhere).detect(Transport.IPV4).protect(Set.of(SEGMENT)))
                .isInstanceOf(FirewallException.class)
                .hasMessageContaining("install the nftables package");
    }

    @Test
    void namesMissingCapability() {
        List<String> prefix = List.of("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin");
        for (Backend backend : List.of(Backend.IPTABLES, Backend.NFTABLES)) {
            assertThatThrownBy(() -> new FirewallDetector(backend, host.namespace(), prefix).detect(Transport.IPV4).protect(Set.of(SEGMENT)))
                    .isInstanceOf(FirewallException.class)
                    .hasMessageContaining("CAP_NET_ADMIN");
        }
    }

    private Firewall choose(Backend backend, Transport transport) throws FirewallException {
        return new FirewallDetector(backend, host.namespace(), List.of()).detect(transport);
    }

    private String chosen(Backend backend) throws FirewallException {
        return choose(backend, Transport.IPV4).toString();
    }

    /** Removes the rules that drop outgoing datagrams, so that they come in. */
    private void letOut(Kind kind) {
        host.run(kind.nftables() ? "nft flush chain inet vxseal outgoing" : kind.command + " -w -F OUTPUT");
    }

    private TestHost.Outcome send(Kind kind, int vni) {
        return udp(kind, "root", 0, Packet.udp(PORT, Packet.vxlan(vni)));
    }

    /** Sends the payload of the datagram by a socket of the user. */
    private TestHost.Outcome udp(Kind kind, String user, int mark, byte[] datagram) {
        return perl(user, """
                socket(S, %s, 2, 17) or die $!;
                %d == 0 or setsockopt(S, 1, 36, pack('i', %d)) or die $!;
                send(S, pack('H*', '%s'), 0, %s) or die $!;
                """.formatted(kind.ipv6() ? "10" : "2", mark, mark,
                        HexFormat.of().formatHex(datagram, 8, datagram.length),
                        address(kind, ByteBuffer.wrap(datagram).getShort(2))));
    }

    /** Sends the packet unchanged by a raw socket. */
    private TestHost.Outcome raw(Kind kind, byte[] packet) {
        return perl("root", """
                socket(S, %s, 3, 255) or die $!;
                setsockopt(S, 0, 22, 1);
                send(S, pack('H*', '%s'), 0, %s) or die $!;
                """.formatted(kind.ipv6() ? "10" : "2", HexFormat.of().formatHex(packet), address(kind, 0)));
    }

    private static String address(Kind kind, int port) {
        return kind.ipv6()
                ? "pack_sockaddr_in6(%d, Socket::inet_pton(10, '::1'))".formatted(port)
                : "pack_sockaddr_in(%d, inet_aton('127.0.0.1'))".formatted(port);
    }

    private TestHost.Outcome perl(String user, String program) {
        return host.attempt(List.of("setpriv", "--reuid=" + user, "--clear-groups", "perl", "-MSocket", "-e", program));
    }

    /** Returns the datagrams that came through, to a closed port. */
    private int arrived(Kind kind) throws Exception {
        String statistics = host.run("cat /proc/net/" + (kind.transport == Transport.IPV4 ? "snmp" : "snmp6"));
        var count = Pattern.compile(kind.transport == Transport.IPV4 ? "Udp: \\d+ (\\d+)" : "Udp6NoPorts\\s+(\\d+)")
                .matcher(statistics);
        assertThat(count.find()).as(statistics).isTrue();
        return Integer.parseInt(count.group(1));
    }
}
