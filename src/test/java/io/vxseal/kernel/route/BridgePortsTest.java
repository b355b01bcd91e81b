package io.vxseal.kernel.route;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import io.vxseal.kernel.libc.KernelException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Tests of bridge ports and static FDB entries, read with iproute2. */
class BridgePortsTest extends UnderlayAndOverlay {
    private JsonNode port(String name) {
        return overlay.json("bridge -d -j link show dev " + name).get(0);
    }

    @Test
    void vxlanPortFloodsWithoutLearning() throws Exception {
        vxlan(Optional.empty());
        assertThat(port("vx0").get("learning").asBoolean()).isFalse();
        assertThat(port("vx0").get("flood").asBoolean()).isTrue();
        Link link = overlay.route.links().find("vx0").orElseThrow();
        assertThat(link.port()).contains(BridgePort.TO_VXLAN);
        assertThat(link.tunnel()).contains(new VxlanTunnel(4097, 4789, Optional.empty(), false));
    }

    @Test
    void containerPortHasStaticEntryAndNoFlooding() throws Exception {
        bridge();
        overlay.route.links().addVeth(new Veth("veth0", "br0", "vxs0", MAC, 1424), underlay.namespace);
        assertThat(port("veth0").get("learning").asBoolean()).isFalse();
        assertThat(port("veth0").get("flood").asBoolean()).isFalse();
        assertThat(overlay.run("bridge -d fdb show br br0 brport veth0"))
                .containsPattern(MAC + " (dev veth0 )?.*sticky.*static");
        Link link = overlay.route.links().find("veth0").orElseThrow();
        assertThat(link.port()).contains(BridgePort.TO_CONTAINER);
        assertThat(overlay.route.ports().staticEntries()).containsExactly(new StaticFdbEntry(link.index(), MAC));
        assertThat(overlay.route.links().find("br0").orElseThrow().port()).isEmpty();
    }

    /** Earlier versions made such ports. */
    @Test
    void setStopsLearningAndFloodingOfEarlierPorts() throws Exception {
        vxlan(Optional.empty());
        overlay.run("ip link set vx0 type vxlan learning");
        overlay.run("bridge link set dev vx0 learning on");
        overlay.run("ip link add veth0 type veth peer name vxs0 netns " + underlay.pin);
        overlay.run("ip link set veth0 up master br0");
        overlay.run("bridge fdb add 02:00:00:00:00:01 dev vx0 master dynamic");
        overlay.run("bridge fdb add " + MAC + " dev vx0 master dynamic");
        overlay.run("bridge fdb add 02:00:00:00:00:02 dev vx0 self dynamic dst 10.55.0.9");
        overlay.run("bridge fdb add 02:00:00:00:00:03 dev vx0 self permanent dst 10.55.0.9");
        Link vxlan = overlay.route.links().find("vx0").orElseThrow();
        Link veth = overlay.route.links().find("veth0").orElseThrow();
        int bridge = overlay.route.links().find("br0").orElseThrow().index();
        assertThat(vxlan.port()).contains(new BridgePort(true, true));
        assertThat(vxlan.tunnel().orElseThrow().learning()).isTrue();
        assertThat(overlay.route.ports().staticEntries()).isEmpty();

        overlay.route.ports().setContainerPorts(List.of(new ContainerPort(veth.index(), bridge, MAC)));
        overlay.route.ports().set(Map.of(vxlan.index(), BridgePort.TO_VXLAN));
        overlay.route.neighbours().setLearning("vx0", false);

        assertThat(overlay.route.links().find("veth0").orElseThrow().port()).contains(BridgePort.TO_CONTAINER);
        assertThat(overlay.route.links().find("vx0").orElseThrow().port()).contains(BridgePort.TO_VXLAN);
        assertThat(overlay.link("vx0").at("/linkinfo/info_data/learning").asBoolean()).isFalse();
        assertThat(overlay.run("bridge fdb show"))
                .doesNotContain("02:00:00:00:00:01", "02:00:00:00:00:02")
                .contains("02:00:00:00:00:03")
                .containsPattern(MAC + " dev veth0 .*static");
        assertThat(overlay.route.ports().staticEntries()).containsExactly(new StaticFdbEntry(veth.index(), MAC));
        overlay.route.neighbours().setLearning("vx0", true);
        assertThat(overlay.link("vx0").at("/linkinfo/info_data/learning").asBoolean()).isTrue();
    }

    @Test
    void setContainerPortsReturnsLinkToItsBridge() throws Exception {
        bridge();
        overlay.route.links().addBridge(new Bridge("br1", 1424, List.of()));
        overlay.route.links().addVeth(new Veth("veth0", "br0", "vxs0", MAC, 1424), underlay.namespace);
        overlay.run("ip link set veth0 master br1");
        int veth = overlay.route.links().find("veth0").orElseThrow().index();
        int bridge = overlay.route.links().find("br0").orElseThrow().index();
        overlay.route.ports().setContainerPorts(List.of(new ContainerPort(veth, bridge, MAC)));
        Link link = overlay.route.links().find("veth0").orElseThrow();
        assertThat(link.master()).hasValue(bridge);
        assertThat(link.port()).contains(BridgePort.TO_CONTAINER);
        assertThat(overlay.route.ports().staticEntries()).containsExactly(new StaticFdbEntry(veth, MAC));
    }

    @Test
    void setContainerPortsNamesRefusedAndSetsOthers() throws Exception {
        bridge();
        overlay.route.links().addVeth(new Veth("veth0", "br0", "vxs0", MAC, 1424), underlay.namespace);
        overlay.run("bridge link set dev veth0 flood on learning on");
        int veth = overlay.route.links().find("veth0").orElseThrow().index();
        int bridge = overlay.route.links().find("br0").orElseThrow().index();
        assertThatThrownBy(() -> overlay.route.ports().setContainerPorts(List.of(
                        new ContainerPort(9999, bridge, MAC), new ContainerPort(veth, bridge, MAC))))
                .isInstanceOf(KernelException.class)
                .hasMessageContaining("index 9999")
                .hasMessageContaining("ENODEV");
        assertThat(overlay.route.links().find("veth0").orElseThrow().port()).contains(BridgePort.TO_CONTAINER);
    }
}
