package io.vxseal.kernel.route;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.libc.Errno;
import io.vxseal.kernel.libc.KernelException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Links and neighbours, made here and read with iproute2. */
class RouteTest {
    private static final MacAddress MAC = MacAddress.parse("02:42:0a:2c:00:07");

    @TempDir
    Path folder;

    private TestHost underlay;
    private TestHost overlay;

    @BeforeEach
    void open() throws Exception {
        underlay = new TestHost(folder.resolve("underlay"));
        overlay = new TestHost(folder.resolve("overlay"));
    }

    @AfterEach
    void close() throws Exception {
        overlay.close();
        underlay.close();
    }

    private void bridge() throws Exception {
        overlay.route.links().addBridge(new Bridge("br0", 1424, List.of()));
    }

    private void vxlan(Optional<InetAddress> local) throws Exception {
        bridge();
        underlay.route.links().addVxlan(
                new Vxlan("vx0", 4097, 4789, 1424, local, "br0"), overlay.namespace, overlay.route.links());
    }

    private static InetAddress ip(String literal) {
        return InetAddress.ofLiteral(literal);
    }

    @Test
    void bridgeIsUpWithItsAddressesAndForwards() throws Exception {
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
    void bridgeThatCannotHaveItsAddressIsTakenBack() throws Exception {
        Cidr twice = Cidr.parse("10.44.0.1/24");
        assertThatThrownBy(() -> overlay.route.links().addBridge(new Bridge("br0", 1424, List.of(twice, twice))))
                .isInstanceOf(KernelException.class)
                .hasMessageContaining("add address 10.44.0.1/24 to br0: EEXIST");
        assertThat(overlay.route.links().find("br0")).isEmpty();
    }

    @Test
    void vxlanOnIpv4IsTheBuiltInDriversButForChecksumAndLearning() throws Exception {
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
    void vxlanHasItsSourceAddress() throws Exception {
        vxlan(Optional.of(ip("10.55.0.1")));
        assertThat(overlay.link("vx0").at("/linkinfo/info_data/local").asText()).isEqualTo("10.55.0.1");
    }

    @Test
    void vxlanOnIpv6ListensThere() throws Exception {
        vxlan(Optional.of(ip("fd00:55::1")));
        assertThat(overlay.link("vx0").at("/linkinfo/info_data/local6").asText()).isEqualTo("fd00:55::1");
        assertThat(underlay.run("ss -Hlun")).contains("[::]:4789").doesNotContain("0.0.0.0:4789");
    }

    @Test
    void vxlanOnIpv6NeedsNoParticularSource() throws Exception {
        vxlan(Optional.of(ip("::")));
        assertThat(underlay.run("ss -Hlun")).contains("[::]:4789");
        overlay.route.neighbours().add("vx0", List.of(new RemoteEndpoint(ip("10.44.0.7"), MAC, ip("fd00:55::2"))));
        assertThat(overlay.route.neighbours().list("vx0")).hasSize(1);
    }

    @Test
    void vxlanOfAVniThatIsTakenIsRefusedAndNothingStays() throws Exception {
        vxlan(Optional.empty());
        assertThatThrownBy(() -> underlay.route.links().addVxlan(
                        new Vxlan("vx1", 4097, 4789, 1424, Optional.empty(), "br0"),
                        overlay.namespace, overlay.route.links()))
                .isInstanceOfSatisfying(KernelException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EEXIST))
                .hasMessageContaining("add VXLAN device vx1 with VNI 4097: EEXIST")
                .hasMessageContaining("already exists");
        assertThat(overlay.route.links().find("vx1")).isEmpty();
    }

    @Test
    void vxlanWithoutItsBridgeIsRefused() {
        assertThatThrownBy(() -> underlay.route.links().addVxlan(
                        new Vxlan("vx0", 4097, 4789, 1424, Optional.empty(), "br0"),
                        overlay.namespace, overlay.route.links()))
                .isInstanceOf(KernelException.class)
                .hasMessageContaining("find link br0: ENODEV");
    }

    @Test
    void vethHasOneEndOnTheBridgeAndTheOtherElsewhere() throws Exception {
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

    private JsonNode port(String name) {
        return overlay.json("bridge -d -j link show dev " + name).get(0);
    }

    @Test
    void vxlanPortFloodsButDoesNotLearn() throws Exception {
        vxlan(Optional.empty());
        assertThat(port("vx0").get("learning").asBoolean()).isFalse();
        assertThat(port("vx0").get("flood").asBoolean()).isTrue();
        Link link = overlay.route.links().find("vx0").orElseThrow();
        assertThat(link.port()).contains(BridgePort.TO_VXLAN);
        assertThat(link.tunnel()).contains(new VxlanTunnel(4097, 4789, Optional.empty(), false));
    }

    @Test
    void containerPortIsGivenItsMacAndNothingElse() throws Exception {
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

    /** As earlier versions made them. */
    @Test
    void portsThatLearnAndFloodAreBroughtToRight() throws Exception {
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
    void containerPortOnAnotherBridgeIsBroughtBackAsOne() throws Exception {
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
    void everyRefusedPortIsNamedAndTheOthersAreRight() throws Exception {
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

    @Test
    void vethWhosePeersNameIsTakenLeavesNothing() throws Exception {
        bridge();
        assertThatThrownBy(() ->
                        overlay.route.links().addVeth(new Veth("veth0", "br0", "lo", MAC, 1424), underlay.namespace))
                .isInstanceOf(KernelException.class)
                .hasMessageContaining("add veth pair veth0 and lo: EEXIST");
        assertThat(overlay.route.links().find("veth0")).isEmpty();
    }

    @Test
    void aNameTooLongIsTheKernelsToRefuse() {
        assertThatThrownBy(() -> overlay.route.links().addBridge(new Bridge("a-name-that-is-far-too-long", 1400, List.of())))
                .isInstanceOf(KernelException.class)
                .hasMessageContaining("add bridge a-name-that-is-far-too-long")
                .hasMessageContaining("Attribute failed policy validation");
    }

    @Test
    void linksAreReadAsIproute2ReadsThem() throws Exception {
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
    void manyLinksComeInSeveralParts() throws Exception {
        for (int i = 0; i < 60; i++) {
            overlay.route.links().addBridge(new Bridge("br" + i, 1400, List.of()));
        }
        assertThat(overlay.route.links().list()).hasSize(61).doesNotHaveDuplicates();
    }

    @Test
    void deletedIsToldFromAbsent() throws Exception {
        bridge();
        assertThat(overlay.route.links().delete("br0")).isTrue();
        assertThat(overlay.route.links().delete("br0")).isFalse();
        assertThat(overlay.json("ip -j link")).hasSize(1);
    }

    @Test
    void remoteEndpointIsNeighbourAndForwardingEntry() throws Exception {
        vxlan(Optional.empty());
        var endpoint = new RemoteEndpoint(ip("10.44.0.7"), MAC, ip("10.55.0.2"));
        overlay.route.neighbours().add("vx0", List.of(endpoint));

        assertThat(overlay.run("ip neigh show dev vx0")).contains("10.44.0.7 lladdr " + MAC + " PERMANENT");
        assertThat(overlay.run("bridge fdb show dev vx0")).containsPattern(MAC + " dst 10.55.0.2 .*self permanent");
        assertThat(overlay.route.neighbours().list("vx0")).containsExactly(endpoint);
    }

    @Test
    void remoteEndpointIsReplaced() throws Exception {
        vxlan(Optional.empty());
        var before = new RemoteEndpoint(ip("10.44.0.7"), MAC, ip("10.55.0.2"));
        var moved = new RemoteEndpoint(ip("10.44.0.7"), MAC, ip("10.55.0.3"));
        overlay.route.neighbours().add("vx0", List.of(before));
        overlay.route.neighbours().add("vx0", List.of(moved));
        assertThat(overlay.route.neighbours().list("vx0")).containsExactly(moved);
        assertThat(overlay.run("bridge fdb show dev vx0")).doesNotContain("10.55.0.2");

        MacAddress other = MacAddress.parse("02:42:00:00:00:01");
        var renamed = new RemoteEndpoint(ip("10.44.0.7"), other, ip("10.55.0.3"));
        overlay.route.neighbours().add("vx0", List.of(renamed));
        assertThat(overlay.route.neighbours().list("vx0")).containsExactly(renamed);
    }

    @Test
    void ipv6EndpointIsANeighbourToo() throws Exception {
        vxlan(Optional.empty());
        var endpoint = new RemoteEndpoint(ip("fd00:44::7"), MAC, ip("10.55.0.2"));
        overlay.route.neighbours().add("vx0", List.of(endpoint));
        assertThat(overlay.run("ip -6 neigh show dev vx0")).contains("fd00:44::7 lladdr " + MAC + " PERMANENT");
        assertThat(overlay.route.neighbours().list("vx0")).containsExactly(endpoint);
        overlay.route.neighbours().remove("vx0", List.of(endpoint));
        assertThat(overlay.route.neighbours().list("vx0")).isEmpty();
    }

    @Test
    void removalOfWhatIsGoneIsNoError() throws Exception {
        vxlan(Optional.empty());
        var endpoint = new RemoteEndpoint(ip("10.44.0.7"), MAC, ip("10.55.0.2"));
        overlay.route.neighbours().add("vx0", List.of(endpoint));
        overlay.route.neighbours().remove("vx0", List.of(endpoint));
        overlay.route.neighbours().remove("vx0", List.of(endpoint));
        assertThat(overlay.run("ip neigh show dev vx0")).isBlank();
        assertThat(overlay.run("bridge fdb show dev vx0")).doesNotContain("10.55.0.2");
        overlay.route.neighbours().remove("absent", List.of(endpoint));
    }

    @Test
    void removalAfterAMoveLeavesTheNewForwardingEntry() throws Exception {
        vxlan(Optional.empty());
        var before = new RemoteEndpoint(ip("10.44.0.7"), MAC, ip("10.55.0.2"));
        var moved = new RemoteEndpoint(ip("10.44.0.7"), MAC, ip("10.55.0.3"));
        overlay.route.neighbours().add("vx0", List.of(before));
        overlay.route.neighbours().add("vx0", List.of(moved));
        overlay.route.neighbours().remove("vx0", List.of(before));
        assertThat(overlay.run("bridge fdb show dev vx0")).contains(MAC + " dst 10.55.0.3");
    }

    @Test
    void everyRefusedEndpointIsNamedAndTheOthersStand() throws Exception {
        vxlan(Optional.empty());
        var good = new RemoteEndpoint(ip("10.44.0.7"), MAC, ip("10.55.0.2"));
        var ofOtherFamily = new RemoteEndpoint(
                ip("10.44.0.8"), MacAddress.parse("02:42:0a:2c:00:08"), ip("fd00::2"));
        assertThatThrownBy(() -> overlay.route.neighbours().add("vx0", List.of(ofOtherFamily, good)))
                .isInstanceOf(KernelException.class)
                .hasMessageContaining("add forwarding entry")
                .hasMessageContaining("10.44.0.8");
        assertThat(overlay.route.neighbours().list("vx0")).containsExactly(good);
    }

    @Test
    void thousandsOfEndpointsGoInAndOutBatched() throws Exception {
        vxlan(Optional.empty());
        List<RemoteEndpoint> many = endpoints(3000);
        overlay.route.neighbours().add("vx0", many);
        assertThat(overlay.route.neighbours().list("vx0")).containsExactlyInAnyOrderElementsOf(many);
        overlay.route.neighbours().remove("vx0", many);
        assertThat(overlay.route.neighbours().list("vx0")).isEmpty();
    }

    @Test
    void oneRouteServesManyThreads() throws Exception {
        vxlan(Optional.empty());
        List<RemoteEndpoint> many = endpoints(500);
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            var done = new ArrayList<Future<?>>();
            for (int i = 0; i < 50; i++) {
                List<RemoteEndpoint> share = many.subList(10 * i, 10 * i + 10);
                done.add(threads.submit(() -> {
                    overlay.route.neighbours().add("vx0", share);
                    overlay.route.links().list();
                    return overlay.route.neighbours().list("vx0");
                }));
            }
            for (var each : done) {
                each.get();
            }
        }
        assertThat(overlay.route.neighbours().list("vx0")).containsExactlyInAnyOrderElementsOf(many);
    }

    private static List<RemoteEndpoint> endpoints(int count) {
        return IntStream.range(0, count)
                .mapToObj(i -> {
                    InetAddress address = ip("10.44." + i / 200 + "." + (i % 200 + 1));
                    return new RemoteEndpoint(address, MacAddress.of(address), ip("10.55.1." + (i % 200 + 1)));
                })
                .toList();
    }

    @Test
    void aClosedRouteSaysSo() throws Exception {
        Route route = Route.in(overlay.namespace);
        route.close();
        route.close();
        assertThatThrownBy(route.links()::list).isInstanceOf(KernelException.class).hasMessageContaining("closed");
    }

    /** Two hosts on a wire, a container on each: the frames find their way by what was told, nothing is flooded. */
    @Test
    void containersReachEachOtherAcrossHosts() throws Exception {
        try (TestHost otherUnderlay = new TestHost(folder.resolve("underlay2"));
                TestHost otherOverlay = new TestHost(folder.resolve("overlay2"));
                TestHost container = new TestHost(folder.resolve("container"));
                TestHost otherContainer = new TestHost(folder.resolve("container2"))) {
            underlay.run("ip link add wire type veth peer name wire netns " + otherUnderlay.pin);
            host(underlay, overlay, container, 1);
            host(otherUnderlay, otherOverlay, otherContainer, 2);
            remote(overlay, 2);
            remote(otherOverlay, 1);

            assertDatagramArrives(container, otherContainer, ip("10.44.0.12"));
            assertDatagramArrives(otherContainer, container, ip("10.44.0.11"));
            assertDatagramArrives(container, otherContainer, ip("fd00:44::12"));
        }
    }

    /** Who listens says nothing, so only what was told of it can lead to it. */
    @Test
    void containerThatMovedHereAndOnlyListensIsReachedAtOnce() throws Exception {
        try (TestHost otherUnderlay = new TestHost(folder.resolve("underlay2"));
                TestHost otherOverlay = new TestHost(folder.resolve("overlay2"));
                TestHost container = new TestHost(folder.resolve("container"));
                TestHost otherContainer = new TestHost(folder.resolve("container2"));
                TestHost moved = new TestHost(folder.resolve("moved"))) {
            underlay.run("ip link add wire type veth peer name wire netns " + otherUnderlay.pin);
            host(underlay, overlay, container, 1);
            host(otherUnderlay, otherOverlay, otherContainer, 2);
            remote(overlay, 2);
            remote(otherOverlay, 1);
            assertDatagramArrives(otherContainer, container, ip("10.44.0.11"));
            otherOverlay.route.links().delete("veth0");
            overlay.route.neighbours().remove("vx0", overlay.route.neighbours().list("vx0"));

            MacAddress mac = MacAddress.of(ip("10.44.0.12"));
            overlay.route.links().addVeth(new Veth("veth1", "br0", "eth0", mac, 1424), moved.namespace);
            otherOverlay.route.neighbours().add(
                    "vx0", List.of(new RemoteEndpoint(ip("10.44.0.12"), mac, ip("10.55.0.1"))));
            listenOnly(moved, mac);
            container.run("ip neigh replace 10.44.0.12 lladdr " + mac + " dev eth0 nud permanent");

            assertDatagramArrives(container, moved, ip("10.44.0.12"));
            try (TestHost neighbour = new TestHost(folder.resolve("neighbour"))) {
                MacAddress ofNeighbour = MacAddress.of(ip("10.44.0.13"));
                otherOverlay.route.links().addVeth(new Veth("veth3", "br0", "eth0", ofNeighbour, 1424), neighbour.namespace);
                neighbour.run("ip address add 10.44.0.13/24 dev eth0");
                neighbour.run("ip link set eth0 up");
                assertDatagramArrives(neighbour, moved, ip("10.44.0.12"));
            }
            assertThat(counted(moved)).isZero();
        }
    }

    /** Lets nothing out of a container that is coming up, and counts what there would be. */
    private static void listenOnly(TestHost container, MacAddress mac) {
        container.run("ip link set eth0 address " + mac + " arp off");
        container.run("ip address add 10.44.0.12/24 dev eth0");
        container.run("nft add table netdev t");
        container.run("nft add counter netdev t sent");
        container.run("nft add chain netdev t out { type filter hook egress device eth0 priority 0; }");
        container.run("nft add rule netdev t out ip saddr 10.44.0.12 counter name sent drop");
        container.run("nft add rule netdev t out drop");
        container.run("ip link set eth0 up");
    }

    @Test
    void macForgedByAContainerElsewhereIsNotLearnt() throws Exception {
        try (TestHost otherUnderlay = new TestHost(folder.resolve("underlay2"));
                TestHost otherOverlay = new TestHost(folder.resolve("overlay2"));
                TestHost container = new TestHost(folder.resolve("container"));
                TestHost victim = new TestHost(folder.resolve("victim"));
                TestHost forger = new TestHost(folder.resolve("container2"))) {
            underlay.run("ip link add wire type veth peer name wire netns " + otherUnderlay.pin);
            host(underlay, overlay, container, 1);
            host(otherUnderlay, otherOverlay, forger, 2);
            remote(overlay, 2);
            remote(otherOverlay, 1);
            MacAddress mac = MacAddress.of(ip("10.44.0.13"));
            overlay.route.links().addVeth(new Veth("veth3", "br0", "eth0", mac, 1424), victim.namespace);
            victim.run("ip address add 10.44.0.13/24 dev eth0");
            victim.run("ip link set eth0 up");

            forger.run("ip neigh replace 10.44.0.11 lladdr 02:42:0a:2c:00:0b dev eth0 nud permanent");
            for (String forged : List.of(mac.toString(), "02:66:66:66:66:66")) {
                forger.run("ip link set eth0 down");
                forger.run("ip link set eth0 address " + forged);
                forger.run("ip link set eth0 up");
                forger.run("ip neigh replace 10.44.0.11 lladdr 02:42:0a:2c:00:0b dev eth0 nud permanent");
                assertDatagramArrives(forger, container, ip("10.44.0.11"));
                assertThat(overlay.run("bridge fdb show br br0")).doesNotContainPattern(forged + " dev vx0");
            }
            assertDatagramArrives(container, victim, ip("10.44.0.13"));

            // The forgery is one that a port which learns believes.
            overlay.run("bridge link set dev vx0 learning on");
            assertDatagramArrives(forger, container, ip("10.44.0.11"));
            assertThat(overlay.run("bridge fdb show br br0")).containsPattern("02:66:66:66:66:66 dev vx0");
        }
    }

    @Test
    void macOfAContainerElsewhereForgedHereIsNotLearnt() throws Exception {
        try (TestHost victim = new TestHost(folder.resolve("victim"));
                TestHost forger = new TestHost(folder.resolve("forger"))) {
            vxlan(Optional.empty());
            for (TestHost host : List.of(victim, forger)) {
                int number = host == victim ? 3 : 4;
                MacAddress mac = MacAddress.of(ip("10.44.0.1" + number));
                overlay.route.links().addVeth(new Veth("veth" + number, "br0", "eth0", mac, 1424), host.namespace);
                host.run("ip address add 10.44.0.1" + number + "/24 dev eth0");
            }
            forger.run("ip link set eth0 address 02:42:0a:2c:00:0c");
            victim.run("ip link set eth0 up");
            forger.run("ip link set eth0 up");
            forger.run("ip neigh replace 10.44.0.13 lladdr 02:42:0a:2c:00:0d dev eth0 nud permanent");
            assertDatagramArrives(forger, victim, ip("10.44.0.13"));
            assertThat(overlay.run("bridge fdb show br br0")).doesNotContainPattern("02:42:0a:2c:00:0c dev veth");
        }
    }

    @Test
    void framesToOtherNodesAreNotFloodedToContainersHere() throws Exception {
        try (TestHost sender = new TestHost(folder.resolve("sender"));
                TestHost bystander = new TestHost(folder.resolve("bystander"))) {
            vxlan(Optional.empty());
            for (TestHost host : List.of(sender, bystander)) {
                int number = host == sender ? 3 : 4;
                MacAddress mac = MacAddress.of(ip("10.44.0.1" + number));
                overlay.route.links().addVeth(new Veth("veth" + number, "br0", "eth0", mac, 1424), host.namespace);
                host.run("ip address add 10.44.0.1" + number + "/24 dev eth0");
                host.run("ip link set eth0 up");
            }
            counter(overlay, "vx0", "egress", "02:42:0a:2c:00:0c");
            counter(bystander, "eth0", "ingress", "02:42:0a:2c:00:0c");
            sender.run("ip neigh replace 10.44.0.12 lladdr 02:42:0a:2c:00:0c dev eth0 nud permanent");
            assertDatagramArrives(sender, bystander, ip("10.44.0.14"));
            try (DatagramSocket socket = socket(sender)) {
                for (int i = 0; i < 5; i++) {
                    socket.send(new DatagramPacket(new byte[1], 1, ip("10.44.0.12"), 9));
                }
            }
            assertDatagramArrives(sender, bystander, ip("10.44.0.14"));
            assertThat(counted(overlay)).isEqualTo(5);
            assertThat(counted(bystander)).isZero();
            // The bystander would have heard of a frame to it.
            overlay.run("bridge link set dev veth4 flood on");
            try (DatagramSocket socket = socket(sender)) {
                socket.send(new DatagramPacket(new byte[1], 1, ip("10.44.0.12"), 9));
            }
            assertDatagramArrives(sender, bystander, ip("10.44.0.14"));
            assertThat(counted(bystander)).isOne();
        }
    }

    private static void counter(TestHost host, String link, String hook, String mac) {
        host.run("nft add table netdev t");
        host.run("nft add counter netdev t sent");
        host.run("nft add chain netdev t c { type filter hook " + hook + " device " + link + " priority 0; }");
        host.run("nft add rule netdev t c ether daddr " + mac + " counter name sent");
    }

    private static int counted(TestHost host) {
        return host.json("nft -j list counter netdev t sent").at("/nftables/1/counter/packets").asInt();
    }

    /** One of a few: a link that is just up has a carrier only when the kernel comes round to it. */
    private static void assertDatagramArrives(TestHost from, TestHost to, InetAddress address) throws Exception {
        try (DatagramSocket receiver = socket(to); DatagramSocket sender = socket(from)) {
            byte[] sent = "across".getBytes(StandardCharsets.US_ASCII);
            var received = new DatagramPacket(new byte[100], 100);
            receiver.setSoTimeout(1000);
            for (int attempt = 1; ; attempt++) {
                sender.send(new DatagramPacket(sent, sent.length, address, receiver.getLocalPort()));
                try {
                    receiver.receive(received);
                    break;
                } catch (SocketTimeoutException none) {
                    if (attempt == 15) {
                        throw none;
                    }
                }
            }
            assertThat(received.getLength()).isEqualTo(sent.length);
        }
    }

    private static DatagramSocket socket(TestHost host) throws Exception {
        var opened = new AtomicReference<DatagramSocket>();
        host.namespace.within(() -> {
            try {
                opened.set(new DatagramSocket());
                return 0;
            } catch (SocketException e) {
                throw new AssertionError(e);
            }
        });
        return opened.get();
    }

    private static void host(TestHost underlay, TestHost overlay, TestHost container, int number) throws Exception {
        underlay.run("ip address add 10.55.0." + number + "/24 dev wire");
        underlay.run("ip link set wire up");
        overlay.route.links().addBridge(new Bridge("br0", 1424, List.of(Cidr.parse("10.44.0.1/24"))));
        underlay.route.links().addVxlan(
                new Vxlan("vx0", 4097, 4789, 1424, Optional.empty(), "br0"), overlay.namespace, overlay.route.links());
        MacAddress mac = MacAddress.of(ip("10.44.0.1" + number));
        overlay.route.links().addVeth(new Veth("veth0", "br0", "eth0", mac, 1424), container.namespace);
        container.run("ip address add 10.44.0.1" + number + "/24 dev eth0");
        container.run("ip address add fd00:44::1" + number + "/64 dev eth0 nodad");
        container.run("ip link set eth0 up");
    }

    private static void remote(TestHost overlay, int number) throws Exception {
        MacAddress mac = MacAddress.of(ip("10.44.0.1" + number));
        InetAddress vtep = ip("10.55.0." + number);
        overlay.route.neighbours().add("vx0", List.of(
                new RemoteEndpoint(ip("10.44.0.1" + number), mac, vtep),
                new RemoteEndpoint(ip("fd00:44::1" + number), mac, vtep)));
    }
}
