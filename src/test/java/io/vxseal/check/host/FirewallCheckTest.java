package io.vxseal.check.host;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.check.Finding;
import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.firewall.Firewall;
import io.vxseal.kernel.firewall.FirewallDetector;
import io.vxseal.kernel.firewall.Segment;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Findings about firewalls. Which rules drop what is tested in {@code HostRulesTest}. */
class FirewallCheckTest {
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

    private List<Finding> run(Node node) throws Exception {
        return new FirewallCheck(host.namespace, new PortHolders.Ports(4789, 4788), folder.resolve("swarm"), node).run();
    }

    @Test
    void namesRuleWhatItMeansAndTheCommand() throws Exception {
        host.run("iptables-nft -A INPUT -p esp -j DROP");
        assertThat(run(Node.UNKNOWN)).containsExactly(Finding.unfit("firewall",
                "rule 1 of chain INPUT in table filter of iptables-nft drops ESP (IP protocol 50) from other nodes: packets of encrypted "
                        + "networks are lost",
                "iptables-nft -t filter -I INPUT -p esp -j ACCEPT"));
    }

    @Test
    void findsPolicyOfOutputAsWell() throws Exception {
        host.run("iptables-nft -P OUTPUT DROP");
        assertThat(run(Node.UNKNOWN)).hasSize(3).allMatch(finding -> !finding.fit() && finding.found().contains("to other nodes"));
    }

    @Test
    void findsRuleAgainstANodeThatThePluginKnows() throws Exception {
        host.run("iptables-nft -A INPUT -s 10.55.0.3 -p udp -j DROP");
        assertThat(run(Node.UNKNOWN)).singleElement().matches(Finding::fit);
        var node = new Node(Optional.of(InetAddress.ofLiteral("10.55.0.1")),
                Set.of(InetAddress.ofLiteral("10.55.0.2"), InetAddress.ofLiteral("10.55.0.3")), Set.of());
        assertThat(run(node)).singleElement().matches(finding -> !finding.fit())
                .extracting(Finding::found).asString().contains("UDP port 4789 from node 10.55.0.3");
    }

    @Test
    void onlyWarnsOfClusterPortOfNodeThatMayBecomeWorker() throws Exception {
        host.run("iptables-nft -A INPUT -p tcp --dport 4788 -j REJECT");
        assertThat(run(Node.UNKNOWN)).singleElement().matches(Finding::warns)
                .extracting(Finding::found).asString().contains("if it becomes a manager");
    }

    @Test
    void onlyWarnsOfBothVariantsOfIptables() throws Exception {
        host.run("iptables-nft -A INPUT -p tcp --dport 80 -j ACCEPT");
        host.run("iptables-legacy -A INPUT -p tcp --dport 80 -j ACCEPT");
        assertThat(run(Node.UNKNOWN)).singleElement().matches(Finding::warns);
    }

    @Test
    void findsNothingInThePluginsOwnRules() throws Exception {
        for (Firewall.Backend backend : Firewall.Backend.values()) {
            try (FirewallDetector detector = new FirewallDetector(backend, host.namespace, List.of())) {
                Firewall firewall = detector.detect(Firewall.Transport.IPV4);
                firewall.protect(Set.of(new Segment(4789, 8388608)));
                assertThat(host.run("nft list ruleset")).containsIgnoringCase("vxseal");
                assertThat(run(Node.UNKNOWN)).as(backend.toString()).singleElement()
                        .matches(finding -> finding.fit() && !finding.warns());
            }
        }
    }
}
