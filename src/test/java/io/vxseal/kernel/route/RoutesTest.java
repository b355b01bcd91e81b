package io.vxseal.kernel.route;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.kernel.TestHost;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RoutesTest {
    private static final InetAddress HERE = InetAddress.ofLiteral("10.55.0.1");
    private static final InetAddress NEXT = InetAddress.ofLiteral("10.55.0.2");
    private static final InetAddress FAR = InetAddress.ofLiteral("10.66.0.2");
    private static final InetAddress NOWHERE = InetAddress.ofLiteral("10.77.0.2");

    @TempDir
    private Path folder;

    @Test
    void findsMtuOfRouteOrOfItsLink() throws Exception {
        try (TestHost host = new TestHost(folder.resolve("host"))) {
            host.run("ip link add wire mtu 1450 type veth peer name other");
            host.run("ip link set wire up");
            host.run("ip link set other up");
            host.run("ip address add 10.55.0.1/24 dev wire");
            host.run("ip route add 10.66.0.0/24 via 10.55.0.2 mtu 1300");
            assertThat(host.route.routes().mtus(HERE, List.of(NEXT, FAR, NOWHERE))).isEqualTo(Map.of(NEXT, 1450, FAR, 1300));
        }
    }

    @Test
    void findsMtuOverIpv6() throws Exception {
        InetAddress here = InetAddress.ofLiteral("fd55::1");
        InetAddress next = InetAddress.ofLiteral("fd55::2");
        try (TestHost host = new TestHost(folder.resolve("host"))) {
            host.run("ip link add wire mtu 1450 type veth peer name other");
            host.run("ip link set wire up");
            host.run("ip link set other up");
            host.run("ip -6 address add fd55::1/64 dev wire nodad");
            assertThat(host.route.routes().mtus(here, List.of(next))).isEqualTo(Map.of(next, 1450));
        }
    }
}
