package io.vxseal.check;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.check.host.Node;
import io.vxseal.check.host.PortHolders;
import io.vxseal.kernel.TestHost;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Checks of a host without faults, and with one at a time. This machine's kernel may lack ESP. */
class HostCheckTest {
    private static final InetAddress NODE = InetAddress.ofLiteral("10.55.0.1");

    @TempDir
    private Path folder;

    private TestHost host;
    private Node node = Node.UNKNOWN;

    @BeforeEach
    void open() throws Exception {
        host = new TestHost(folder.resolve("host"));
    }

    @AfterEach
    void close() throws Exception {
        host.close();
    }

    private Finding find(String check) {
        var folders = new HostCheck.Folders(folder, folder.resolve("swarm"), folder.resolve("netns"), folder.resolve("networks"));
        return new HostCheck(host.namespace, new PortHolders.Ports(4789, 4788), folders, node).run().stream()
                .filter(finding -> finding.check().equals(check))
                .findFirst().orElseThrow();
    }

    @Test
    void findsNothingOnCleanHostAndLeavesNothing() throws Exception {
        String before = state();
        for (String check : new String[] {"VXLAN", "foreign policies", "foreign VXLAN", "other VPNs", "ports", "firewall", "MTU", "clock"}) {
            assertThat(find(check)).as(check).matches(Finding::fit);
        }
        assertThat(state()).isEqualTo(before);
    }

    private String state() {
        return host.run("ip -d link") + host.run("ip xfrm state") + host.run("ip xfrm policy") + host.run("nft list ruleset")
                + host.run("cat /proc/net/ip_tables_names /proc/net/ip6_tables_names");
    }

    @Test
    void namesDeviceInSandboxWithVniThatNetworksGet() throws Exception {
        Files.createDirectories(folder.resolve("netns"));
        try (TestHost sandbox = new TestHost(folder.resolve("netns/1-abcdefgh"))) {
            // As the built-in driver has one for "ingress" in every swarm.
            sandbox.run("ip link add vxlan0 type vxlan id 4096 dstport 4789 dev lo");
            assertThat(find("foreign VXLAN")).matches(Finding::fit);
            sandbox.run("ip link add vxlan1 type vxlan id 8388608 dstport 4789 dev lo");
            assertThat(find("foreign VXLAN")).matches(finding -> !finding.fit())
                    .extracting(Finding::found).asString().contains("vxlan1", "8388608");
        }
    }

    @Test
    void listsOverlayOnAnotherPortWithoutFailure() {
        host.run("ip link add flannel.1 type vxlan id 1 dstport 8472 dev lo");
        assertThat(find("foreign VXLAN")).matches(Finding::fit);
        assertThat(find("other VPNs")).matches(Finding::fit).matches(finding -> !finding.warns())
                .extracting(Finding::found).asString().contains("flannel.1 on port 8472", "no trouble");
    }

    @Test
    void namesForeignPolicyThatComesFirst() {
        host.run("ip xfrm policy add dir out src 10.0.0.0/8 dst 10.0.0.0/8 priority 0 action allow");
        assertThat(find("foreign policies")).matches(finding -> !finding.fit())
                .extracting(Finding::found).asString().contains("10.0.0.0/8 -> 10.0.0.0/8 priority 0");
    }

    @Test
    void ignoresForeignPolicyThatComesLater() {
        host.run("ip xfrm policy add dir out src 10.0.0.0/8 dst 10.0.0.0/8 priority 100 action allow");
        assertThat(find("foreign policies")).matches(Finding::fit);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            0.0.0.0/0    |             | false
            10.55.0.0/24 |             | true
            0.0.0.0/0    | 10.55.0.2   | false
            10.55.0.0/24 | 10.55.0.2   | false
            10.56.0.0/24 | 10.55.0.2   | true
            """)
    void namesForeignPolicyThatDropsWhatNodesSend(String source, @Nullable String other, boolean fit) {
        host.run("ip address add 10.55.0.1/24 dev lo");
        if (other != null) {
            node = new Node(Optional.of(NODE), Set.of(InetAddress.ofLiteral(other)), Set.of());
        }
        host.run("ip xfrm policy add dir in src %s dst 10.55.0.1/32 proto udp priority 100 action block".formatted(source));
        Finding found = find("foreign policies");
        assertThat(found.fit()).isEqualTo(fit);
        if (!fit) {
            assertThat(found.found()).contains("policy in " + source + " -> 10.55.0.1/32 priority 100 drops");
        }
    }

    @Test
    void ignoresForeignPolicyThatAnEarlierOneLetsPass() {
        node = new Node(Optional.of(NODE), Set.of(InetAddress.ofLiteral("10.55.0.2")), Set.of());
        host.run("ip xfrm policy add dir in src 10.55.0.0/24 dst 10.55.0.1/32 proto udp priority 100 action block");
        host.run("ip xfrm policy add dir in src 10.55.0.0/16 dst 10.55.0.1/32 proto udp dport 4789 priority 99 action allow");
        assertThat(find("foreign policies")).matches(Finding::fit);
    }

    @Test
    void namesDeviceInSandboxWithVniOfNetworkHere() throws Exception {
        node = new Node(Optional.of(NODE), Set.of(), Set.of(4097));
        Files.createDirectories(folder.resolve("netns"));
        Files.createFile(folder.resolve("netns/ended"));
        try (TestHost sandbox = new TestHost(folder.resolve("netns/1-abcdefgh"))) {
            sandbox.run("ip link add vxlan0 type vxlan id 4096 dstport 4789 dev lo");
            sandbox.run("ip link add vxlan1 type vxlan id 4097 dstport 4790 dev lo");
            assertThat(find("foreign VXLAN")).matches(Finding::fit);
            sandbox.run("ip link add vxlan2 type vxlan id 4097 dstport 4789 dev lo");
            assertThat(find("foreign VXLAN")).matches(finding -> !finding.fit())
                    .extracting(Finding::found).asString().contains("vxlan2", "netns/1-abcdefgh", "4097");
        }
    }

    @Test
    void looksAtMtuOfLinkWithNodesAddressOnly() {
        host.run("ip link add small mtu 1400 type veth peer name other");
        host.run("ip link add usual type veth peer name another");
        host.run("ip address add 10.55.0.1/24 dev usual");
        node = new Node(Optional.of(NODE), Set.of(), Set.of());
        assertThat(find("MTU")).matches(Finding::fit);
        host.run("ip address del 10.55.0.1/24 dev usual");
        host.run("ip address add 10.55.0.1/24 dev small");
        assertThat(find("MTU")).matches(finding -> !finding.fit()).extracting(Finding::found).asString().contains("small", "1400");
    }

    @Test
    void namesDeviceOfAnotherProgramOnVxlanPort() {
        host.run("ip link add flannel type vxlan id 77 dstport 4789 dev lo");
        assertThat(find("foreign VXLAN")).matches(finding -> !finding.fit())
                .extracting(Finding::found).asString().contains("flannel", "4789", "77");
    }

    @Test
    void namesClockOutsideOfCertificatesValidity() throws Exception {
        Path certificates = Files.createDirectories(folder.resolve("swarm/certificates"));
        Path store = folder.resolve("store");
        keytool("-genkeypair", "-alias", "node", "-keyalg", "EC", "-dname", "CN=node", "-startdate", "-10d", "-validity", "1",
                "-keystore", store.toString(), "-storepass", "secret");
        keytool("-exportcert", "-rfc", "-alias", "node", "-file", certificates.resolve("swarm-node.crt").toString(),
                "-keystore", store.toString(), "-storepass", "secret");
        assertThat(find("clock")).matches(finding -> !finding.fit())
                .extracting(Finding::found).asString().contains("other nodes refuse its sessions");
    }

    private static void keytool(String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "keytool").toString()));
        command.addAll(List.of(arguments));
        assertThat(new ProcessBuilder(command).inheritIO().start().waitFor()).isZero();
    }
}
