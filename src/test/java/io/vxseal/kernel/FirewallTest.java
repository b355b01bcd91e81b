package io.vxseal.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vxseal.kernel.Firewall.Backend;
import io.vxseal.kernel.Firewall.Transport;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.regex.MatchResult;
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

/** What every firewall does alike: rules read with its own tool, and datagrams that meet them. */
class FirewallTest {
    private static final int PORT = 4789;
    private static final int MARK = 0xd0c4e3;
    private static final int VNI = 4097;
    private static final int OTHER = 0xabcdef;

    /** As the built-in driver writes it: the VNI is compared where it stands, and not shifted. */
    private static final String BUILT_IN =
            "6,177 0 0 0,64 0 0 12,84 0 0 4294967040,21 0 1 1048832,6 0 0 4294967295,6 0 0 0";

    /** Each firewall, and over which IP. */
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

        Firewall firewall(TestHost host, int port) {
            var tools = new Tools(host.prefix());
            return nftables()
                    ? new NftablesFirewall(port, MARK, tools)
                    : IptablesFirewall.using(transport, port, MARK, tools, command);
        }

        /** All that stands, in the tool's words, with handles where it has them, so that a rule made anew is another. */
        String ruleset(TestHost host) {
            return nftables() || command.endsWith("-nft")
                    ? host.run("nft -a list ruleset")
                    : host.run(command + "-save").replaceAll("(?m)^#.*\n", "");
        }

        /** VNIs, one for each rule that has it. */
        List<Integer> protectedVnis(TestHost host) {
            Pattern pattern = Pattern.compile(nftables() ? "0x(?<hex>\\w+)(?=,| })" : ",21 0 1 (?<decimal>\\d+),");
            String ruleset = nftables() ? host.run("nft list ruleset") : host.run(command + "-save");
            return pattern.matcher(ruleset).results().map(this::vni).sorted().toList();
        }

        private int vni(MatchResult match) {
            return nftables() ? Integer.parseInt(match.group(1), 16) : Integer.parseInt(match.group(1));
        }

        /** What {@link #protectedVnis} says when these have their rules, and have them once. */
        List<Integer> once(Integer... vnis) {
            int rules = nftables() ? 1 : 3;
            return Stream.of(vnis).sorted().flatMap(vni -> Collections.nCopies(rules, vni).stream()).toList();
        }

        /** A firewall's reload: all that is not the reloading program's own is gone. */
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
            String pattern = nftables() ? "\\s+.*(drop|accept|set 0x\\w+)" : "-A .*";
            return host.run(nftables() ? "nft list ruleset" : command + "-save")
                    .lines()
                    .filter(line -> line.matches(pattern))
                    .toList();
        }

        /** It knows no nftables, so there somebody's of the same meaning have to do. */
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

        /** An administrator accepts all, above what is there. */
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
    void rulesStandOnceAfterRestartsAndGoWhole(Kind kind) throws Exception {
        kind.firewall(host, PORT).protect(VNI);
        kind.firewall(host, PORT).protect(VNI);
        Firewall firewall = kind.firewall(host, PORT);
        firewall.protect(OTHER);
        firewall.protect(OTHER);
        assertThat(kind.protectedVnis(host)).isEqualTo(kind.once(VNI, OTHER));

        firewall.unprotect(VNI);
        assertThat(kind.protectedVnis(host)).isEqualTo(kind.once(OTHER));
        firewall.unprotect(OTHER);
        firewall.unprotect(OTHER);
        assertThat(kind.ruleset(host)).doesNotContain("-A ", "vxseal");
    }

    @ParameterizedTest
    @EnumSource
    void restorePutsBackWhatAReloadTookAway(Kind kind) throws Exception {
        Firewall firewall = kind.firewall(host, PORT);
        firewall.protect(VNI);
        assertThat(firewall.restore(Set.of(VNI, OTHER))).isEqualTo(1);
        kind.flush(host);
        assertThat(firewall.restore(Set.of(VNI, OTHER))).isEqualTo(2);
        assertThat(kind.protectedVnis(host)).isEqualTo(kind.once(VNI, OTHER));
    }

    @ParameterizedTest
    @EnumSource
    void restoreWritesNothingWhereAllIsRight(Kind kind) throws Exception {
        Firewall firewall = kind.firewall(host, PORT);
        assertThat(firewall.restore(Set.of())).isZero();
        assertThat(kind.ruleset(host)).as("looking made tables").isEmpty();
        firewall.protect(VNI);
        firewall.protect(OTHER);
        String before = kind.ruleset(host);
        assertThat(firewall.restore(Set.of(VNI, OTHER))).isZero();
        firewall.protect(VNI);
        assertThat(kind.ruleset(host)).isEqualTo(before);
        assertThat(kind.firewall(host, PORT).restore(Set.of(VNI, OTHER))).as("after a restart").isZero();
    }

    @ParameterizedTest
    @EnumSource
    void restoreTakesAwayWhatAnEarlierProcessLeft(Kind kind) throws Exception {
        kind.firewall(host, PORT).protect(VNI);
        kind.firewall(host, PORT).protect(OTHER);
        Firewall firewall = kind.firewall(host, 4790);
        assertThat(firewall.restore(Set.of(VNI))).isEqualTo(2);
        assertThat(kind.protectedVnis(host)).isEqualTo(kind.once(VNI));
        assertThat(kind.ruleset(host)).contains("dport 4790").doesNotContain("dport 4789");
        assertThat(firewall.restore(Set.of())).isEqualTo(1);
        assertThat(kind.ruleset(host)).doesNotContain("-A ", "vxseal");
    }

    @ParameterizedTest
    @EnumSource
    void restoreMendsARuleThatLacks(Kind kind) throws Exception {
        Firewall firewall = kind.firewall(host, PORT);
        firewall.protect(VNI);
        List<String> losses = kind.nftables()
                ? List.of("nft flush chain inet vxseal incoming", "nft flush chain inet vxseal marking",
                        "nft delete table inet vxseal", "nft flush set inet vxseal vnis")
                : List.of(kind.command + " -F INPUT", kind.command + " -F OUTPUT", kind.command + " -t mangle -F OUTPUT");
        for (String loss : losses) {
            host.run(loss);
            assertThat(firewall.restore(Set.of(VNI))).as(loss).isEqualTo(1);
            assertThat(kind.protectedVnis(host)).as(loss).isEqualTo(kind.once(VNI));
            assertThat(firewall.restore(Set.of(VNI))).as(loss).isZero();
        }
    }

    /** Unsealed, a protected VNI's datagrams neither leave nor come in, whatever is accepted; another's do both. */
    @ParameterizedTest
    @EnumSource
    void datagramsOfTheVniOnlyAreDropped(Kind kind) throws Exception {
        Firewall firewall = kind.firewall(host, PORT);
        firewall.protect(OTHER);
        kind.acceptAll(host);
        firewall.restore(Set.of(OTHER));
        assertThat(send(kind, OTHER).output()).contains("Operation not permitted");
        assertThat(send(kind, OTHER - 1).status()).isZero();
        assertThat(arrived(kind)).isEqualTo(1);

        letOut(kind);
        assertThat(send(kind, OTHER).status()).isZero();
        assertThat(send(kind, OTHER ^ 0x800000).status()).isZero();
        assertThat(arrived(kind)).isEqualTo(2);
    }

    /** The mark is there before the filter chains, and the kernel looks for the policy anew because of it. */
    @ParameterizedTest
    @EnumSource
    void whatLeavesIsMarkedAndMeetsThePolicyForTheMark(Kind kind) throws Exception {
        kind.firewall(host, PORT).protect(VNI);
        letOut(kind);
        host.run("nft add table inet witness");
        host.run("nft add chain inet witness out { type filter hook output priority 350 ; }");
        host.run("nft add rule inet witness out meta mark 0xd0c4e3 counter");
        assertThat(send(kind, VNI).status()).isZero();
        assertThat(send(kind, OTHER).status()).isZero();
        assertThat(host.run("nft list table inet witness")).contains("counter packets 1 ");

        String all = kind.transport == Transport.IPV4 ? "0.0.0.0/0" : "::/0";
        // Where nothing is sealed on the loopback link, IPv4 looks for no policy.
        host.run(List.of("bash", "-c", "echo 0 > /proc/sys/net/ipv4/conf/lo/disable_xfrm"));
        host.run("ip xfrm policy add dir out src %s dst %s proto udp mark 0xd0c4e3 mask 0xffffffff action block"
                .formatted(all, all));
        assertThat(send(kind, VNI).output()).contains("Operation not permitted");
        assertThat(send(kind, OTHER).status()).isZero();
        assertThat(host.run("cat /proc/net/xfrm_stat")).containsPattern("XfrmOutPolBlock\\s+1\\b");
    }

    @ParameterizedTest
    @EnumSource
    void rulesOfOthersAreLeftAlone(Kind kind) throws Exception {
        kind.acceptAll(host);
        kind.addTheBuiltInDriversRules(host);
        List<String> theirs = kind.rules(host);
        Firewall firewall = kind.firewall(host, PORT);
        firewall.protect(VNI);
        firewall.restore(Set.of(VNI, OTHER));
        assertThat(kind.rules(host)).containsSubsequence(theirs).hasSize(theirs.size() + (kind.nftables() ? 3 : 6));
        firewall.unprotect(VNI);
        firewall.restore(Set.of());
        assertThat(kind.rules(host)).isEqualTo(theirs);
    }

    /** Its rule above ours takes nothing from us, and moving ours up would be the start of a race. */
    @ParameterizedTest
    @EnumSource
    void builtInDriversRulesAboveOursAreNoReasonToMove(Kind kind) throws Exception {
        Firewall firewall = kind.firewall(host, PORT);
        firewall.protect(VNI);
        kind.addTheBuiltInDriversRules(host);
        String before = kind.ruleset(host);
        assertThat(firewall.restore(Set.of(VNI))).isZero();
        assertThat(kind.ruleset(host)).isEqualTo(before);
    }

    @ParameterizedTest
    @CsvSource({"IPTABLES, NFTABLES", "NFTABLES, IPTABLES", "NFTABLES, AUTO"})
    void switchingBackendLeavesNothingOfTheOther(Backend from, Backend to) throws Exception {
        for (Transport transport : Transport.values()) {
            choose(from, transport).protect(VNI);
        }
        Firewall firewall = choose(to, Transport.IPV4);
        firewall.protect(VNI);
        assertThat(firewall.restore(Set.of(VNI))).isZero();
        List<Kind> kinds = List.of(Kind.IPTABLES_NFT, Kind.IP6TABLES_NFT, Kind.NFTABLES);
        Kind now = to == Backend.NFTABLES ? Kind.NFTABLES : Kind.IPTABLES_NFT;
        for (Kind kind : kinds) {
            assertThat(kind.protectedVnis(host)).as(kind.name()).isEqualTo(kind == now ? kind.once(VNI) : List.of());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"iptables-legacy", "iptables-nft"})
    void switchingVariantLeavesNothingOfTheOther(String before) throws Exception {
        IptablesFirewall.using(Transport.IPV4, PORT, MARK, new Tools(host.prefix()), before).protect(VNI);
        String now = before.equals("iptables-nft") ? "iptables-legacy" : "iptables-nft";
        host.run(now + " -w -N DOCKER");
        choose(Backend.AUTO, Transport.IPV4).restore(Set.of(VNI));
        assertThat(host.run(before + "-save")).doesNotContain("-A ");
        assertThat(host.run(now + "-save").lines().filter(line -> line.startsWith("-A "))).hasSize(3);
    }

    @Test
    void automaticFirewallIsTheEngines() throws Exception {
        assertThat(chosen(Backend.AUTO)).isEqualTo("iptables-nft");
        host.run("nft add table ip docker-bridges");
        assertThat(chosen(Backend.AUTO)).isEqualTo("nftables");
        assertThat(chosen(Backend.IPTABLES)).isEqualTo("iptables-nft");
        host.run("iptables-legacy -w -N DOCKER");
        assertThat(chosen(Backend.AUTO)).isEqualTo("iptables-legacy");
        assertThat(chosen(Backend.NFTABLES)).isEqualTo("nftables");
    }

    /** Rules that nft made there, with what iptables has no words for, hide all others in that table. */
    @Test
    void automaticFirewallIsNftablesWhereIptablesCannotShowItsTable() throws Exception {
        host.run("iptables-nft -w -A INPUT -j ACCEPT");
        host.run("nft add rule ip filter INPUT rt ipsec missing accept");
        assertThat(chosen(Backend.AUTO)).isEqualTo("nftables");
        assertThatThrownBy(() -> choose(Backend.IPTABLES, Transport.IPV4).protect(VNI))
                .isInstanceOf(FirewallException.class)
                .hasMessageContaining("set VXSEAL_FIREWALL=nftables");
    }

    @Test
    void hostWithoutTheToolIsTold() {
        List<String> nowhere = List.of("env", "PATH=/nowhere");
        assertThatThrownBy(() -> Firewall.choose(Backend.IPTABLES, Transport.IPV4, PORT, MARK, nowhere))
                .isInstanceOf(FirewallException.class)
                .hasMessageContaining("install the iptables package");
        assertThatThrownBy(() -> Firewall.choose(Backend.AUTO, Transport.IPV6, PORT, MARK, nowhere))
                .isInstanceOf(FirewallException.class)
                .hasMessageContaining("install the iptables package");
        assertThatThrownBy(() -> Firewall.choose(Backend.NFTABLES, Transport.IPV4, PORT, MARK, nowhere).protect(VNI))
                .isInstanceOf(FirewallException.class)
                .hasMessageContaining("install the nftables package");
    }

    @Test
    void processWithoutTheCapabilityIsTold() {
        var prefix = new ArrayList<>(host.prefix());
        prefix.addAll(List.of("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"));
        for (Backend backend : List.of(Backend.IPTABLES, Backend.NFTABLES)) {
            assertThatThrownBy(() -> Firewall.choose(backend, Transport.IPV4, PORT, MARK, prefix).protect(VNI))
                    .isInstanceOf(FirewallException.class)
                    .hasMessageContaining("CAP_NET_ADMIN");
        }
    }

    private Firewall choose(Backend backend, Transport transport) throws FirewallException {
        return Firewall.choose(backend, transport, PORT, MARK, host.prefix());
    }

    private String chosen(Backend backend) throws FirewallException {
        return ((ChosenFirewall) choose(backend, Transport.IPV4)).chosen().toString();
    }

    /** Takes away what stops datagrams on their way out, so that they come in. */
    private void letOut(Kind kind) {
        host.run(kind.nftables() ? "nft flush chain inet vxseal outgoing" : kind.command + " -w -F OUTPUT");
    }

    private TestHost.Outcome send(Kind kind, int vni) {
        String header = "\\x08\\x00\\x00\\x00\\x%02x\\x%02x\\x%02x\\x00".formatted(vni >> 16, vni >> 8 & 255, vni & 255);
        String address = kind.transport == Transport.IPV4 ? "127.0.0.1" : "::1";
        return host.attempt(List.of("bash", "-c", "printf '" + header + "frame' > /dev/udp/" + address + "/" + PORT));
    }

    /** Datagrams that came through, to a port where nobody listens. */
    private int arrived(Kind kind) throws Exception {
        String statistics = host.run("cat /proc/net/" + (kind.transport == Transport.IPV4 ? "snmp" : "snmp6"));
        var count = Pattern.compile(kind.transport == Transport.IPV4 ? "Udp: \\d+ (\\d+)" : "Udp6NoPorts\\s+(\\d+)")
                .matcher(statistics);
        assertThat(count.find()).as(statistics).isTrue();
        return Integer.parseInt(count.group(1));
    }
}
