package io.vxseal.kernel.route;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import io.vxseal.address.Cidr;
import io.vxseal.kernel.libc.Errno;
import io.vxseal.kernel.libc.KernelException;
import java.net.InetAddress;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests of links, read with iproute2. */
class LinksTest extends UnderlayAndOverlay {
    @Test
    void addsBridgeUpWithAddressesAndForwarding() throws Exception {
        overlay.route.links().addBridge(new Bridge(
                "ov-001001-abcde", 1424, List.of(Cidr.parse("10.44.0.1/24"), Cidr.parse("fd00:44::1/64"))));

        JsonNode link = overlay.link("ov-001001-abcde");
        assertThat(link.at("/linkinfo/info_kind").asText()).isEqualTo("bridge");
        assertThat(link.get("mtu").asInt()).isEqualTo(1424);
        assertThat(link.get("flags").toString()).contains("\"UP\"");
        String addresses = overlay.run("ip address show dev ov-001001-abcde");
        assertThat(addresses)
                .contains("inet 10.44.0.1/24 brd 10.44.0.255 scope global ov-001001-abcde")
                .contains("inet6 fd00:44::1/64 scope global nodad");
        assertThat(overlay.run("cat /proc/sys/net/ipv4/conf/ov-001001-abcde/forwarding")).isEqualTo("1\n");
    }

    @Test
    void removesBridgeWhoseAddressIsRefused() throws Exception {
        Cidr twice = Cidr.parse("10.44.0.1/24");
        assertThatThrownBy(() -> overlay.route.links().addBridge(new Bridge("br0", 1424, List.of(twice, twice))))
                .isInstanceOf(KernelException.class)
                .hasMessageContaining("add address 10.44.0.1/24 to br0: EEXIST");
        assertThat(overlay.route.links().find("br0")).isEmpty();
    }

    @Test
    void addsVxlanLikeBuiltInDriverWithoutLearning() throws Exception {
        vxlan(Optional.empty());

        JsonNode link = overlay.link("vx0");
        JsonNode data = link.at("/linkinfo/info_data");
        assertThat(link.at("/linkinfo/info_kind").asText()).isEqualTo("vxlan");
        assertThat(link.get("mtu").asInt()).isEqualTo(1424);
        assertThat(link.get("master").asText()).isEqualTo("br0");
        assertThat(link.get("flags").toString()).contains("\"UP\"");
        assertThat(data.get("id").asInt()).isEqualTo(4097);
        assertThat(data.get("port").asInt()).isEqualTo(4789);
        for (String flag : List.of("proxy", "l2miss", "l3miss", "udp_csum")) {
            assertThat(data.get(flag).asBoolean()).as(flag).isTrue();
        }
        assertThat(data.get("learning").asBoolean()).as("learning").isFalse();
        assertThat(data.has("link")).as("bound to an underlay device").isFalse();
        assertThat(data.has("local")).isFalse();
        assertThat(underlay.json("ip -j link")).hasSize(1);
        assertThat(underlay.run("ss -Hlun")).contains("0.0.0.0:4789").doesNotContain("[::]:4789");
        assertThat(overlay.run("ss -Hlun")).isBlank();
    }

    @Test
    void addsVxlanWithSourceAddress() throws Exception {
        vxlan(Optional.of(ip("10.55.0.1")));
        assertThat(overlay.link("vx0").at("/linkinfo/info_data/local").asText()).isEqualTo("10.55.0.1");
    }

    @Test
    void addsVxlanOverIpv6ListeningOnIpv6() throws Exception {
        vxlan(Optional.of(ip("fd00:55::1")));
        assertThat(overlay.link("vx0").at("/linkinfo/info_data/local6").asText()).isEqualTo("fd00:55::1");
        assertThat(underlay.run("ss -Hlun")).contains("[::]:4789").doesNotContain("0.0.0.0:4789");
    }

    @Test
    void addsVxlanOverIpv6WithoutSourceAddress() throws Exception {
        vxlan(Optional.of(ip("::")));
        assertThat(underlay.run("ss -Hlun")).contains("[::]:4789");
        overlay.route.neighbours().add("vx0", List.of(new RemoteEndpoint(ip("10.44.0.7"), MAC, ip("fd00:55::2"))));
        assertThat(overlay.route.neighbours().list("vx0")).hasSize(1);
    }

    @Test
    void refusesVxlanWithUsedVniAndLeavesNothing() throws Exception {
        vxlan(Optional.empty());
        assertThatThrownBy(() -> underlay.route.links().addVxlan(
                        new Vxlan("vx1", 4097, 4789, 1424, Optional.empty(), "br0"),
                        overlay.namespace, overlay.route.links()))
                .isInstanceOfSatisfying(KernelException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EEXIST))
                .hasMessageContaining("add VXLAN device vx1 with VNI 4097: EEXIST")
                .hasMessageContaining("already exists");
        assertThat(overlay.route.links().find("vx1")).isEmpty();
    }

    /** The namespace of the device is not asked, and each VNI stays free that was. */
    @ParameterizedTest
    @ValueSource(strings = {"0.0.0.0", "10.55.0.1", "fd00:55::1"})
    void probeFindsVxlanDeviceInAnyNamespace(String local) throws Exception {
        Links links = underlay.route.links();
        boolean ipv6 = local.contains(":");
        for (int asked = 0; asked < 5; asked++) {
            assertThat(isTaken(4097, 4789)).isFalse();
        }
        vxlan(local.equals("0.0.0.0") ? Optional.empty() : Optional.of(InetAddress.ofLiteral(local)));
        assertThat(isTaken(4097, 4789)).isTrue();
        assertThat(isTaken(4097, 4790)).isFalse();
        assertThat(isTaken(4098, 4789)).isFalse();
        try (VxlanProbe probe = links.vxlanProbe()) {
            assertThat(probe.finds(4097, 4789, ipv6)).isTrue();
            assertThat(probe.finds(4097, 4789, !ipv6)).isFalse();
        }
        overlay.run("ip link set vx0 down");
        assertThat(isTaken(4097, 4789)).as("down").isTrue();
        overlay.route.links().delete("vx0");
        assertThat(isTaken(4097, 4789)).isFalse();
        assertThat(links.list()).extracting(Link::name).doesNotContain("probe");
    }

    private boolean isTaken(int vni, int port) throws Exception {
        try (VxlanProbe probe = underlay.route.links().vxlanProbe()) {
            return probe.finds(vni, port);
        }
    }

    @Test
    void refusesVxlanWithoutBridge() {
        assertThatThrownBy(() -> underlay.route.links().addVxlan(
                        new Vxlan("vx0", 4097, 4789, 1424, Optional.empty(), "br0"),
                        overlay.namespace, overlay.route.links()))
                .isInstanceOf(KernelException.class)
                .hasMessageContaining("find link br0: ENODEV");
    }

    @Test
    void addsVethBetweenBridgeAndOtherNamespace() throws Exception {
        bridge();
        overlay.route.links().addVeth(new Veth("veth0", "br0", "vxs0123456", MAC, 1424), underlay.namespace);

        JsonNode here = overlay.link("veth0");
        assertThat(here.get("master").asText()).isEqualTo("br0");
        assertThat(here.get("flags").toString()).contains("\"UP\"");
        assertThat(here.get("mtu").asInt()).isEqualTo(1424);
        JsonNode there = underlay.link("vxs0123456");
        assertThat(there.get("address").asText()).isEqualTo(MAC.toString());
        assertThat(there.get("mtu").asInt()).isEqualTo(1424);
        assertThat(there.get("flags").toString()).doesNotContain("\"UP\"");
    }

    @Test
    void refusesVethWithUsedPeerNameAndLeavesNothing() throws Exception {
        bridge();
        assertThatThrownBy(() ->
                        overlay.route.links().addVeth(new Veth("veth0", "br0", "lo", MAC, 1424), underlay.namespace))
                .isInstanceOf(KernelException.class)
                .hasMessageContaining("add veth pair veth0 and lo: EEXIST");
        assertThat(overlay.route.links().find("veth0")).isEmpty();
    }

    @Test
    void reportsKernelRefusalOfTooLongName() {
        assertThatThrownBy(() -> overlay.route.links().addBridge(new Bridge("a-name-that-is-far-too-long", 1400, List.of())))
                .isInstanceOf(KernelException.class)
                .hasMessageContaining("add bridge a-name-that-is-far-too-long")
                .hasMessageContaining("Attribute failed policy validation");
    }

    @Test
    void listsLinksAsIproute2Does() throws Exception {
        vxlan(Optional.empty());
        overlay.route.links().addVeth(new Veth("veth0", "br0", "vxs0", MAC, 1424), underlay.namespace);

        List<Link> links = overlay.route.links().list();
        JsonNode reference = overlay.json("ip -d -j link");
        assertThat(links).hasSameSizeAs(reference);
        for (int i = 0; i < links.size(); i++) {
            Link link = links.get(i);
            JsonNode expected = reference.get(i);
            assertThat(link.index()).isEqualTo(expected.get("ifindex").asInt());
            assertThat(link.name()).isEqualTo(expected.get("ifname").asText());
            assertThat(link.kind()).isEqualTo(expected.at("/linkinfo/info_kind").asText());
            assertThat(link.mtu()).isEqualTo(expected.get("mtu").asInt());
            assertThat(link.mac()).hasToString(expected.get("address").asText());
            assertThat(link.up()).isTrue();
            assertThat(link.master().isPresent()).isEqualTo(expected.has("master"));
            assertThat(link.tunnel().map(VxlanTunnel::vni).orElse(0)).isEqualTo(expected.at("/linkinfo/info_data/id").asInt());
            assertThat(overlay.route.links().find(link.name())).contains(link);
        }
        int bridge = overlay.route.links().find("br0").orElseThrow().index();
        assertThat(overlay.route.links().find("vx0").orElseThrow().master()).hasValue(bridge);
        assertThat(overlay.route.links().find("absent")).isEmpty();
    }

    @Test
    void listsLinksOfDumpInSeveralParts() throws Exception {
        for (int i = 0; i < 60; i++) {
            overlay.route.links().addBridge(new Bridge("br" + i, 1400, List.of()));
        }
        assertThat(overlay.route.links().list()).hasSize(61).doesNotHaveDuplicates();
    }

    @Test
    void deleteReturnsWhetherLinkExisted() throws Exception {
        bridge();
        assertThat(overlay.route.links().delete("br0")).isTrue();
        assertThat(overlay.route.links().delete("br0")).isFalse();
        assertThat(overlay.json("ip -j link")).hasSize(1);
    }
}
