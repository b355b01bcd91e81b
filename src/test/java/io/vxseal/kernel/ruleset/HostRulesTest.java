package io.vxseal.kernel.ruleset;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.vxseal.kernel.TestHost;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What rules that the distribution's tools made do with packets between nodes. */
class HostRulesTest {
    private static final Packet ESP = Packet.of(true, false, Packet.ESP, OptionalInt.empty());
    private static final Packet VXLAN = Packet.of(true, false, Packet.UDP, OptionalInt.of(4789));
    private static final Packet CLUSTER = Packet.of(true, false, Packet.TCP, OptionalInt.of(4788));
    private static final List<Packet> ALL = List.of(ESP, VXLAN, CLUSTER);

    @TempDir
    private Path folder;

    private TestHost host;

    @BeforeEach
    void open() throws Exception {
        host = new TestHost(folder.resolve("host"));
    }

    @AfterEach
    void close() throws Exception {
        host.close();
    }

    private Optional<Drop> drop(Packet packet) throws IOException {
        try (HostRules rules = HostRules.read(host.namespace)) {
            return rules.drop(packet);
        }
    }

    private void nft(String rules) throws IOException {
        host.run("nft -f " + Files.writeString(folder.resolve("rules.nft"), rules));
    }

    private void restore(String command, String rules) throws IOException {
        host.run(command + "-restore " + Files.writeString(folder.resolve("rules"), rules));
    }

    /** Adds rules to the chain INPUT or another one of iptables, one a line, by a command. */
    private void iptables(String command, String... rules) {
        for (String rule : rules) {
            host.run(command + " -w " + rule);
        }
    }

    @Test
    void passesAllWithoutRules() throws Exception {
        for (Packet packet : ALL) {
            assertThat(drop(packet)).isEmpty();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"iptables-nft", "iptables-legacy"})
    void findsRuleOfIptablesForEachPacket(String command) throws Exception {
        iptables(command, "-A INPUT -i lo -j ACCEPT", "-A INPUT -p esp -j DROP", "-A INPUT -p udp --dport 4789 -j REJECT",
                "-N deny", "-A deny -p tcp -m multiport --dports 22,4000:5000 -j DROP", "-A INPUT -m comment --comment x -j deny");
        assertThat(drop(ESP)).map(Drop::toString).contains("rule 2 of chain INPUT in table filter of " + command);
        assertThat(drop(VXLAN)).map(Drop::toString).contains("rule 3 of chain INPUT in table filter of " + command);
        assertThat(drop(CLUSTER)).map(Drop::toString).contains("rule 1 of chain deny in table filter of " + command);
    }

    @ParameterizedTest
    @ValueSource(strings = {"iptables-nft", "iptables-legacy"})
    void remediesOfIptablesLetPacketsPass(String command) throws Exception {
        iptables(command, "-P INPUT DROP", "-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
                "-A INPUT -p tcp --dport 22 -j ACCEPT", "-P OUTPUT DROP");
        for (Packet packet : ALL) {
            Drop drop = drop(packet).orElseThrow();
            assertThat(drop.toString()).isEqualTo("the policy of chain INPUT in table filter of " + command);
            host.run(drop.remedy(packet));
            assertThat(drop(packet)).isEmpty();
        }
        Packet outgoing = Packet.of(false, false, Packet.ESP, OptionalInt.empty());
        host.run(drop(outgoing).orElseThrow().remedy(outgoing));
        assertThat(drop(outgoing)).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"ip6tables-nft", "ip6tables-legacy"})
    void tellsRulesOfIpv6FromThoseOfIpv4(String command) throws Exception {
        iptables(command, "-A INPUT -s 2001:db8::/32 -p udp -m udp --dport 4000:5000 -j DROP");
        assertThat(drop(VXLAN)).isEmpty();
        Packet ipv6 = Packet.of(true, true, Packet.UDP, OptionalInt.of(4789));
        assertThat(drop(ipv6)).isEmpty();
        Packet fromNode = ipv6.between(Optional.empty(), Optional.of(InetAddress.ofLiteral("2001:db8::7")));
        assertThat(drop(fromNode)).map(Drop::toString).contains("rule 1 of chain INPUT in table filter of " + command);
        assertThat(drop(ipv6.between(Optional.empty(), Optional.of(InetAddress.ofLiteral("2001:db9::7"))))).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "-p esp -s 10.0.0.0/8 -j DROP",
        "-p esp ! -s 10.0.0.0/8 -j DROP",
        "-p esp -d 10.0.0.1 -j DROP",
        "-p esp -i docker0 -j DROP",
        "-p esp -m mark --mark 1 -j DROP",
        "-p esp -m limit --limit 1/s -j DROP",
        "-p esp -m conntrack --ctstate INVALID -j DROP",
        "-p esp -m conntrack ! --ctstate NEW,UNTRACKED -j DROP",
        "-p esp -m addrtype --dst-type BROADCAST -j DROP",
        "-p esp -f -j DROP",
        "-p ah -j DROP",
        "! -p esp -j DROP",
        "-i lo -j DROP",
        "-p esp -m policy --dir in --pol none -j DROP",
        "-p esp -m esp --espspi 1:100 -j DROP",
        "-p esp -j LOG",
        "-p esp"
    })
    void doesNotTakeRuleForSomePacketsForOneForAll(String rule) throws Exception {
        for (String command : List.of("iptables-nft", "iptables-legacy")) {
            iptables(command, "-A INPUT " + rule);
            assertThat(drop(ESP)).as(command).isEmpty();
            host.run(command + " -F INPUT");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "-s 10.0.0.0/8 -j ACCEPT",
        "-m set --match-set nodes src -j ACCEPT",
        "-i eth1 -j ACCEPT",
        "-i eth+ -j ACCEPT",
        "! -i eth0 -j ACCEPT",
        "-m mark --mark 1 -j ACCEPT"
    })
    void doesNotTakePolicyForDropIfSomeAreAccepted(String rule) throws Exception {
        if (rule.contains("match-set")) {
            assumeTrue(host.failure("ipset create nodes hash:ip").isEmpty());
        }
        for (String command : List.of("iptables-nft", "iptables-legacy")) {
            iptables(command, "-N nodes", "-A nodes " + rule, "-A INPUT -j nodes", "-P INPUT DROP");
            assertThat(drop(ESP)).as(command).isEmpty();
            iptables(command, "-F nodes", "-P INPUT ACCEPT", "-F INPUT", "-X nodes");
        }
    }

    @Test
    void judgesByTheAddressOfANode() throws Exception {
        iptables("iptables-nft", "-A INPUT -s 10.1.0.0/16 -p esp -j DROP", "-A INPUT -s 10.2.3.4 -p esp -j DROP",
                "-A INPUT -s 10.3.0.0/20 -p esp -j DROP");
        for (String other : List.of("10.1.2.3", "10.2.3.4", "10.3.15.1")) {
            assertThat(drop(ESP.between(Optional.empty(), Optional.of(InetAddress.ofLiteral(other))))).as(other).isPresent();
        }
        for (String other : List.of("10.0.2.3", "10.2.3.5", "10.3.16.1")) {
            assertThat(drop(ESP.between(Optional.empty(), Optional.of(InetAddress.ofLiteral(other))))).as(other).isEmpty();
        }
    }

    @Test
    void findsDropInTableOfNftables() throws Exception {
        nft("""
            table inet filter {
                set open { type inet_service; flags interval; elements = { 22, 4000-4788 } }
                chain input {
                    type filter hook input priority 0; policy drop;
                    ct state vmap { established : accept, related : accept, invalid : drop }
                    iifname "lo" accept
                    tcp dport @open accept
                    ip protocol icmp accept
                    meta l4proto { tcp, udp } th dport vmap { 53 : accept, 4789 : jump no }
                }
                chain no { counter reject; }
            }
            """);
        assertThat(drop(ESP)).map(Drop::toString).contains("the policy of chain input in table inet filter of nftables");
        assertThat(drop(VXLAN)).map(Drop::toString).contains("rule 1 of chain no in table inet filter of nftables");
        assertThat(drop(CLUSTER)).isEmpty();
        for (Packet packet : List.of(ESP, VXLAN)) {
            host.run(List.of("sh", "-c", drop(packet).orElseThrow().remedy(packet).replace("filter no", "filter input")));
            assertThat(drop(packet)).isEmpty();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "meta l4proto esp ip saddr @nodes accept",
        "iifname { \"eth0\", \"eth1\" } accept",
        "iifname \"eth*\" accept",
        "iifname != \"lo\" accept",
        "meta mark 1 accept",
        "meta l4proto { esp, tcp } accept",
        "ip protocol 50-51 accept",
        "meta l4proto vmap { esp : accept }",
        "iifname vmap { \"eth0\" : accept }",
        "iifname . ip protocol { \"eth0\" . esp } accept",
        "ct state { new, established } accept",
        "ct state new accept",
        "ct state != established accept",
        "ip saddr != 10.0.0.0/8 accept",
        "fib daddr type local accept",
        "limit rate 10/second accept"
    })
    void doesNotTakePolicyOfNftablesForDropIfSomeAreAccepted(String rule) throws Exception {
        nft("""
            table inet filter {
                set nodes { type ipv4_addr; }
                chain input { type filter hook input priority 0; policy drop; %s; }
            }
            """.formatted(rule));
        assertThat(drop(ESP)).isEmpty();
    }

    @Test
    void takesIntoAccountThatPacketIsNotTracked() throws Exception {
        nft("table inet filter { chain input { type filter hook input priority 0; policy drop; ct state untracked accept; }; }");
        assertThat(drop(ESP)).isPresent();
        nft("table inet raw { chain in { type filter hook prerouting priority -300; meta l4proto esp notrack; }; }");
        assertThat(drop(ESP)).isEmpty();
    }

    @Test
    void ignoresTablesThatDoNotFilterWhatHostReceives() throws Exception {
        nft("""
            table ip filter { chain FORWARD { type filter hook forward priority 0; policy drop; }; }
            table ip nat { chain in { type nat hook prerouting priority -100; policy accept; drop; }; }
            table bridge filter { chain in { type filter hook input priority 0; policy drop; }; }
            table arp filter { chain in { type filter hook input priority 0; policy drop; }; }
            """);
        for (Packet packet : ALL) {
            assertThat(drop(packet)).isEmpty();
        }
    }

    @Test
    void findsNothingInRulesOfDocker() throws Exception {
        // Of Docker 24 in a swarm with an encrypted overlay of the built-in driver, and of 28 for a published port.
        String rules = """
            *raw
            :PREROUTING ACCEPT [0:0]
            -A PREROUTING -d 172.17.0.2/32 ! -i docker0 -j DROP
            COMMIT
            *mangle
            :OUTPUT ACCEPT [0:0]
            -A OUTPUT -p udp -m udp --dport 4789 -m u32 --u32 "0x0>>0x16&0x3c@0xc&0xffffff00=0x100100" -j MARK --set-xmark 0xd0c4e3/0xffffffff
            COMMIT
            *filter
            :INPUT ACCEPT [0:0]
            :FORWARD DROP [0:0]
            :OUTPUT ACCEPT [0:0]
            :DOCKER - [0:0]
            :DOCKER-INGRESS - [0:0]
            :DOCKER-ISOLATION-STAGE-1 - [0:0]
            :DOCKER-ISOLATION-STAGE-2 - [0:0]
            :DOCKER-USER - [0:0]
            -A INPUT -p udp -m udp --dport 4789 -m policy --dir in --pol none -m u32 --u32 "0x0>>0x16&0x3c@0xc&0xffffff00=0x100100" -j DROP
            -A FORWARD -j DOCKER-USER
            -A FORWARD -j DOCKER-INGRESS
            -A FORWARD -j DOCKER-ISOLATION-STAGE-1
            -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
            -A FORWARD -o docker0 -j DOCKER
            -A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
            -A DOCKER ! -i docker0 -o docker0 -j DROP
            -A DOCKER-INGRESS -p tcp -m tcp --dport 8080 -j ACCEPT
            -A DOCKER-INGRESS -j RETURN
            -A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
            -A DOCKER-ISOLATION-STAGE-1 -j RETURN
            -A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
            -A DOCKER-ISOLATION-STAGE-2 -j RETURN
            -A DOCKER-USER -j RETURN
            COMMIT
            *nat
            :PREROUTING ACCEPT [0:0]
            :DOCKER - [0:0]
            -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
            -A DOCKER -i docker0 -j RETURN
            -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
            COMMIT
            """;
        for (String command : List.of("iptables-nft", "iptables-legacy")) {
            String possible = host.failure("%s -t mangle -A FORWARD -m u32 --u32 0=1".formatted(command)).isEmpty()
                    ? rules : rules.replaceAll("-m u32 --u32 \"[^\"]*\"", "-m mark --mark 7");
            restore(command, possible);
            for (Packet packet : ALL) {
                assertThat(drop(packet)).as(command).isEmpty();
                assertThat(drop(new Packet(false, false, packet.protocol(), packet.port(), Optional.empty(), Optional.empty(), false)))
                        .as(command).isEmpty();
            }
        }
    }

    @Test
    void findsPolicyOfUfwAndItsOwnRemedy() throws Exception {
        restore("iptables-nft", """
            *filter
            :INPUT DROP [0:0]
            :FORWARD DROP [0:0]
            :OUTPUT ACCEPT [0:0]
            :ufw-before-input - [0:0]
            :ufw-not-local - [0:0]
            :ufw-user-input - [0:0]
            :ufw-after-input - [0:0]
            :ufw-skip-to-policy-input - [0:0]
            -A INPUT -j ufw-before-input
            -A INPUT -j ufw-after-input
            -A ufw-before-input -i lo -j ACCEPT
            -A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
            -A ufw-before-input -m conntrack --ctstate INVALID -j DROP
            -A ufw-before-input -p icmp -m icmp --icmp-type 8 -j ACCEPT
            -A ufw-before-input -p udp -m udp --sport 67 --dport 68 -j ACCEPT
            -A ufw-before-input -j ufw-not-local
            -A ufw-before-input -d 224.0.0.251/32 -p udp -m udp --dport 5353 -j ACCEPT
            -A ufw-before-input -j ufw-user-input
            -A ufw-not-local -m addrtype --dst-type LOCAL -j RETURN
            -A ufw-not-local -m addrtype --dst-type MULTICAST -j RETURN
            -A ufw-not-local -j DROP
            -A ufw-user-input -p tcp -m tcp --dport 22 -j ACCEPT
            -A ufw-user-input -p tcp -m tcp --dport 4788 -j ACCEPT
            -A ufw-after-input -p udp -m udp --dport 137 -j ufw-skip-to-policy-input
            -A ufw-skip-to-policy-input -j DROP
            COMMIT
            """);
        assertThat(drop(ESP).orElseThrow().toString()).contains("the policy of chain INPUT");
        assertThat(drop(ESP).orElseThrow().remedy(ESP)).isEqualTo("ufw allow to any proto esp from any");
        assertThat(drop(VXLAN).orElseThrow().remedy(VXLAN)).isEqualTo("ufw allow 4789/udp");
        assertThat(drop(CLUSTER)).isEmpty();
        iptables("iptables-nft", "-A ufw-user-input -p esp -j ACCEPT", "-A ufw-user-input -p udp --dport 4789 -j ACCEPT");
        assertThat(drop(ESP)).isEmpty();
        assertThat(drop(VXLAN)).isEmpty();
    }

    @Test
    void findsRejectionOfFirewalldAndItsOwnRemedy() throws Exception {
        String rules = """
            table inet firewalld
            delete table inet firewalld
            table inet firewalld {
                chain filter_PREROUTING {
                    type filter hook prerouting priority -290; policy accept;
                    icmpv6 type { nd-router-advert, nd-neighbor-solicit } accept
                    meta nfproto ipv6 fib saddr . mark . iif oif missing drop
                }
                chain filter_INPUT {
                    type filter hook input priority 10; policy accept;
                    ct state { established, related } accept
                    ct status dnat accept
                    iifname "lo" accept
                    ct state invalid drop
                    jump filter_INPUT_ZONES
                    reject with icmpx admin-prohibited
                }
                chain filter_INPUT_ZONES { goto filter_IN_public; }
                chain filter_IN_public {
                    jump filter_IN_public_allow
                    meta l4proto { icmp, ipv6-icmp } accept
                }
                chain filter_IN_public_allow { tcp dport 22 accept; %s }
            }
            """;
        nft(rules.formatted(""));
        assertThat(drop(ESP).orElseThrow().toString()).contains("rule 6 of chain filter_INPUT in table inet firewalld");
        assertThat(drop(VXLAN).orElseThrow().remedy(VXLAN)).isEqualTo("firewall-cmd --permanent --add-port=4789/udp && firewall-cmd --reload");
        nft(rules.formatted("udp dport 4789 accept; meta l4proto esp accept;"));
        assertThat(drop(ESP)).isEmpty();
        assertThat(drop(VXLAN)).isEmpty();
        assertThat(drop(CLUSTER)).isPresent();
    }

    @Test
    void tellsOneVariantOfIptablesFromBoth() throws Exception {
        host.run("iptables-legacy -L");
        iptables("iptables-nft", "-A INPUT -p tcp --dport 80 -j ACCEPT");
        nft("table inet own { chain in { type filter hook input priority 0; udp dport 9 drop; }; }");
        try (HostRules rules = HostRules.read(host.namespace)) {
            assertThat(rules.hasBothVariants()).isFalse();
        }
        iptables("iptables-legacy", "-A INPUT -p tcp --dport 81 -j ACCEPT");
        try (HostRules rules = HostRules.read(host.namespace)) {
            assertThat(rules.hasBothVariants()).isTrue();
        }
    }
}
