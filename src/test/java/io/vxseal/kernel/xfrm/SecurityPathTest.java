package io.vxseal.kernel.xfrm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.firewall.Firewall.Backend;
import io.vxseal.kernel.firewall.Firewall.Transport;
import io.vxseal.kernel.firewall.FirewallDetector;
import io.vxseal.kernel.firewall.SealedPriority;
import io.vxseal.kernel.firewall.Segment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import org.awaitility.core.ConditionTimeoutException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Datagrams of an encrypted segment that come by IPsec, ours or another's, from one namespace to another: what the rules for
 * either direction let through. Made by hand, in the words of {@code ip xfrm}.
 */
@Tag("esp")
class SecurityPathTest {
    private static final Segment SEGMENT = new Segment(4789, 0x800001);
    private static final int OURS = SecurityPolicy.REQID;
    private static final int THEIRS = 77;

    @TempDir
    Path folder;

    private TestHost near;
    private TestHost far;

    @BeforeEach
    void open() throws Exception {
        near = new TestHost(folder.resolve("near"));
        far = new TestHost(folder.resolve("far"));
        near.run("ip link add wire type veth peer name wire netns " + far.pin);
        int number = 1;
        for (TestHost host : List.of(near, far)) {
            host.run("ip address add 192.0.2.%d/24 dev wire".formatted(number));
            host.run("ip address add 2001:db8::%d/64 dev wire nodad".formatted(number++));
            host.run("ip link set wire up");
        }
        // Else the first datagram waits for its neighbour, on a link that is just coming up, longer than one may take.
        for (Transport transport : Transport.values()) {
            await().ignoreExceptions().until(() -> !near.run("ping -q -c 1 -W 1 " + address(transport, 2)).isEmpty());
        }
    }

    @AfterEach
    void close() throws Exception {
        near.close();
        far.close();
    }

    @ParameterizedTest
    @CsvSource({"IPTABLES, IPV4", "IPTABLES, IPV6", "NFTABLES, IPV4", "NFTABLES, IPV6"})
    void acceptsOnlyDatagramsThatOurStateOpened(Backend backend, Transport transport) throws Exception {
        new FirewallDetector(backend, far.namespace(), List.of()).detect(transport).protect(Set.of(SEGMENT));
        SealedPriority priority = SealedPriority.in(far.namespace(), 0x76d0c4e3);
        priority.restore();
        far.run("nft add table inet witness");
        far.run("nft add chain inet witness in { type filter hook input priority 450 ; }");
        far.run("nft add rule inet witness in meta priority 0x%x counter".formatted(SealedPriority.PRIORITY));

        assertThat(arrivals(transport)).as("in clear").isZero();
        assertThat(arrivals(transport, new Layer(OURS, "transport"))).as("ours").isOne();
        assertThat(arrivals(transport, new Layer(THEIRS, "transport"))).as("another's").isZero();
        assertThat(arrivals(transport, new Layer(THEIRS, "tunnel"))).as("another's tunnel").isZero();
        if (backend == Backend.IPTABLES) {
            // nft cannot ask for the mode.
            assertThat(arrivals(transport, new Layer(OURS, "tunnel"))).as("a tunnel with our reqid").isZero();
        }
        assertThat(arrivals(transport, new Layer(OURS, "transport"), new Layer(THEIRS, "tunnel")))
                .as("ours in another's tunnel").isOne();
        assertThat(far.run("nft list table inet witness")).as("with the priority of what is sealed").contains("counter packets 2 ");
        priority.close();
    }

    @ParameterizedTest
    @CsvSource({"IPTABLES, IPV4", "IPTABLES, IPV6", "NFTABLES, IPV4", "NFTABLES, IPV6"})
    void letsOutOnlyDatagramsOfDevicesThroughOurState(Backend backend, Transport transport) throws Exception {
        try (TestHost network = new TestHost(folder.resolve("network"))) {
            near.run("ip link add vx type vxlan id %d local %s remote %s dstport %d nolearning"
                    .formatted(SEGMENT.vni(), address(transport, 1), address(transport, 2), SEGMENT.port()));
            near.run("ip link set vx netns " + network.pin);
            // It would announce itself to its neighbours.
            network.run(List.of("bash", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6"));
            network.run("ip address add 198.51.100.1/24 dev vx");
            network.run("ip link set vx up");
            network.run("ip neigh add 198.51.100.2 lladdr 02:42:c6:33:64:02 dev vx");
            Runnable device = () -> network.run(List.of("bash", "-c", "echo > /dev/udp/198.51.100.2/9"));
            Runnable process = () -> send(transport);
            assertThat(arrivals(transport, device)).as("in clear, before the rules").isOne();
            new FirewallDetector(backend, near.namespace(), List.of()).detect(transport).protect(Set.of(SEGMENT));

            assertThat(arrivals(transport, device)).as("in clear").isZero();
            assertThat(arrivals(transport, device, new Layer(OURS, "transport"))).as("by ours").isOne();
            assertThat(arrivals(transport, process, new Layer(OURS, "transport"))).as("a process by ours").isZero();
            assertThat(arrivals(transport, device, new Layer(THEIRS, "transport"))).as("by another's").isZero();
            assertThat(arrivals(transport, device, new Layer(OURS, "transport"), new Layer(THEIRS, "tunnel")))
                    .as("by ours in another's tunnel").isOne();
        }
    }

    /** One pass through IPsec. */
    private record Layer(int reqid, String mode) {}

    private int arrivals(Transport transport, Layer... layers) throws Exception {
        return arrivals(transport, () -> send(transport), layers);
    }

    /** Returns how many datagrams come in that are sent through these states, the innermost first. Removes the states afterwards. */
    private int arrivals(Transport transport, Runnable sending, Layer... layers) throws Exception {
        String ends = "src %s dst %s ".formatted(address(transport, 1), address(transport, 2));
        StringBuilder templates = new StringBuilder();
        int spi = 0x1000;
        for (Layer layer : layers) {
            String state = ends + "proto esp spi " + spi++ + " reqid " + layer.reqid + " mode " + layer.mode;
            for (TestHost host : List.of(near, far)) {
                host.run("ip xfrm state add " + state + " aead rfc4106(gcm(aes)) 0x" + "5a".repeat(20) + " 128");
            }
            templates.append(" tmpl ").append(ends).append("proto esp reqid ").append(layer.reqid).append(" mode ").append(layer.mode);
        }
        if (layers.length > 0) {
            near.run("ip xfrm policy add " + ends + "proto udp dir out" + templates);
            // What comes by a tunnel is let in by a policy only.
            far.run("ip xfrm policy add " + ends + "proto udp dir in" + templates);
        }
        int before = arrived(transport);
        sending.run();
        int arrived = awaitArrival(transport, before) - before;
        for (TestHost host : List.of(near, far)) {
            host.run("ip xfrm policy flush");
            host.run("ip xfrm state flush");
        }
        return arrived;
    }

    /** Returns the datagrams that came in ever, once it is another number than before, or after as long as one may take. */
    private int awaitArrival(Transport transport, int before) {
        try {
            return await().pollDelay(Duration.ofMillis(30)).pollInterval(Duration.ofMillis(30)).atMost(Duration.ofMillis(400))
                    .until(() -> arrived(transport), now -> now != before);
        } catch (ConditionTimeoutException none) {
            return before;
        }
    }

    private static String address(Transport transport, int number) {
        return (transport == Transport.IPV4 ? "192.0.2." : "2001:db8::") + number;
    }

    private void send(Transport transport) {
        near.attempt(List.of("bash", "-c", "printf '\\x08\\x00\\x00\\x00\\x80\\x00\\x01\\x00frame' > /dev/udp/%s/%d"
                .formatted(address(transport, 2), SEGMENT.port())));
    }

    /** Datagrams that came in ever, to a port where nobody listens. */
    private int arrived(Transport transport) {
        boolean old = transport == Transport.IPV4;
        var count = Pattern.compile(old ? "Udp: \\d+ (\\d+)" : "Udp6NoPorts\\s+(\\d+)")
                .matcher(far.run("cat /proc/net/" + (old ? "snmp" : "snmp6")));
        assertThat(count.find()).isTrue();
        return Integer.parseInt(count.group(1));
    }
}
