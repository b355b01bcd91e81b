package io.vxseal.kernel.route;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vxseal.address.MacAddress;
import io.vxseal.kernel.libc.KernelException;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Tests of the neighbours and forwarding entries of a VXLAN device, read with iproute2. */
class NeighboursTest extends UnderlayAndOverlay {
    @Test
    void addsNeighbourAndForwardingEntry() throws Exception {
        vxlan(Optional.empty());
        var endpoint = new RemoteEndpoint(ip("10.44.0.7"), MAC, ip("10.55.0.2"));
        overlay.route.neighbours().add("vx0", List.of(endpoint));

        assertThat(overlay.run("ip neigh show dev vx0")).contains("10.44.0.7 lladdr " + MAC + " PERMANENT");
        assertThat(overlay.run("bridge fdb show dev vx0")).containsPattern(MAC + " dst 10.55.0.2 .*self permanent");
        assertThat(overlay.route.neighbours().list("vx0")).containsExactly(endpoint);
    }

    @Test
    void addReplacesEntriesOfSameAddressOrMac() throws Exception {
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
    void addsAndRemovesIpv6Endpoint() throws Exception {
        vxlan(Optional.empty());
        var endpoint = new RemoteEndpoint(ip("fd00:44::7"), MAC, ip("10.55.0.2"));
        overlay.route.neighbours().add("vx0", List.of(endpoint));
        assertThat(overlay.run("ip -6 neigh show dev vx0")).contains("fd00:44::7 lladdr " + MAC + " PERMANENT");
        assertThat(overlay.route.neighbours().list("vx0")).containsExactly(endpoint);
        overlay.route.neighbours().remove("vx0", List.of(endpoint));
        assertThat(overlay.route.neighbours().list("vx0")).isEmpty();
    }

    @Test
    void unforwardedNeighboursAreSeparateFromEndpoints() throws Exception {
        vxlan(Optional.empty());
        var endpoint = new RemoteEndpoint(ip("10.44.0.7"), MAC, ip("10.55.0.2"));
        overlay.route.neighbours().add("vx0", List.of(endpoint));
        overlay.route.neighbours().addUnforwarded("vx0", List.of(ip("10.44.0.9"), ip("10.44.0.10")));
        overlay.route.neighbours().addUnforwarded("vx0", List.of(ip("10.44.0.9")));
        assertThat(overlay.run("ip neigh show dev vx0")).contains("10.44.0.9 lladdr 02:42:0a:2c:00:09 PERMANENT", "10.44.0.10 ");
        assertThat(overlay.route.neighbours().list("vx0")).containsExactly(endpoint);
        assertThat(overlay.route.neighbours().listUnforwarded("vx0")).containsExactlyInAnyOrder(ip("10.44.0.9"), ip("10.44.0.10"));
        overlay.route.neighbours().removeUnforwarded("vx0", List.of(ip("10.44.0.9"), ip("10.44.0.10"), ip("10.44.0.11")));
        assertThat(overlay.run("ip neigh show dev vx0")).contains("10.44.0.7").doesNotContain("10.44.0.9", "10.44.0.10");
        overlay.route.neighbours().removeUnforwarded("absent", List.of(ip("10.44.0.9")));
        assertThat(overlay.route.neighbours().listUnforwarded("absent")).isEmpty();
    }

    @Test
    void removeAcceptsMissingEntriesAndDevice() throws Exception {
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
    void removeKeepsForwardingEntryOfMovedEndpoint() throws Exception {
        vxlan(Optional.empty());
        var before = new RemoteEndpoint(ip("10.44.0.7"), MAC, ip("10.55.0.2"));
        var moved = new RemoteEndpoint(ip("10.44.0.7"), MAC, ip("10.55.0.3"));
        overlay.route.neighbours().add("vx0", List.of(before));
        overlay.route.neighbours().add("vx0", List.of(moved));
        overlay.route.neighbours().remove("vx0", List.of(before));
        assertThat(overlay.run("bridge fdb show dev vx0")).contains(MAC + " dst 10.55.0.3");
    }

    @Test
    void addNamesRefusedEndpointAndAddsOthers() throws Exception {
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
    void addsAndRemovesThousandsOfEndpoints() throws Exception {
        vxlan(Optional.empty());
        List<RemoteEndpoint> many = endpoints(3000);
        overlay.route.neighbours().add("vx0", many);
        assertThat(overlay.route.neighbours().list("vx0")).containsExactlyInAnyOrderElementsOf(many);
        overlay.route.neighbours().remove("vx0", many);
        assertThat(overlay.route.neighbours().list("vx0")).isEmpty();
    }

    @Test
    void servesConcurrentThreads() throws Exception {
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

    @Test
    void closedRouteRefusesRequests() throws Exception {
        Route route = Route.in(overlay.namespace);
        route.close();
        route.close();
        assertThatThrownBy(route.links()::list).isInstanceOf(KernelException.class).hasMessageContaining("closed");
    }

    private static List<RemoteEndpoint> endpoints(int count) {
        return IntStream.range(0, count)
                .mapToObj(i -> {
                    InetAddress address = ip("10.44." + i / 200 + "." + (i % 200 + 1));
                    return new RemoteEndpoint(address, MacAddress.of(address), ip("10.55.1." + (i % 200 + 1)));
                })
                .toList();
    }
}
