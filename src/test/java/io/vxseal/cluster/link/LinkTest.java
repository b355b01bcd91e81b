package io.vxseal.cluster.link;

import io.vxseal.cluster.refusal.Refusals;
import io.vxseal.swarm.Role;
import io.vxseal.swarm.SwarmIdentity;
import io.vxseal.swarm.TestAuthority;
import java.io.IOException;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.io.TempDir;

/** A hub and nodes over real sockets, with certificates of their own. */
abstract class LinkTest {
    static final LinkTimes QUICK =
            new LinkTimes(Duration.ofSeconds(4), Duration.ofSeconds(6), Duration.ofMillis(500), Duration.ofSeconds(4), Duration.ofSeconds(4));
    static final InetAddress HUB = address(1);
    /** There is one loopback address of IPv6, which all nodes have then. */
    static final InetAddress HUB_IPV6 = InetAddress.ofLiteral("::1");

    @TempDir
    static Path folder;

    static TestAuthority authority;

    InetAddress hubAddress = HUB;
    final LinkThreads threads = new LinkThreads();
    final Recorder atHub = new Recorder();
    final Refusals refusals = new Refusals();
    private final Deque<AutoCloseable> open = new ArrayDeque<>();

    static synchronized TestAuthority authority() {
        if (authority == null) {
            authority = new TestAuthority(folder, "s1");
        }
        return authority;
    }

    /** A node that can dial the hub. */
    record Node(HubClient client, Recorder heard, Refusals refusals, SwarmIdentity identity) {}

    @AfterEach
    void closeAll() throws Exception {
        while (!open.isEmpty()) {
            open.pop().close();
        }
        threads.close();
        authority = null;
    }

    <C extends AutoCloseable> C closing(C closeable) {
        open.push(closeable);
        return closeable;
    }

    /** Returns a worker that says what the test has it say. */
    RawClient raw(int number, HubServer hub) throws Exception {
        return new RawClient(address(number), at(hub), authority().node("node-" + number, Role.WORKER));
    }

    static InetAddress address(int node) {
        return InetAddress.ofLiteral("127.0.%d.%d".formatted(node >> 8 & 0xFF, node & 0xFF));
    }

    static byte[] octets(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    HubServer hub() throws IOException {
        return hub(atHub, QUICK);
    }

    HubServer hub(ConnectionListener listener, LinkTimes times) throws IOException {
        return hub(authority().node("hub", Role.MANAGER), listener, times);
    }

    HubServer hub(SwarmIdentity identity, ConnectionListener listener, LinkTimes times) throws IOException {
        HubServer hub = closing(new HubServer(
                new InetSocketAddress(hubAddress, 0), identity, threads, times, listener, refusals));
        hub.start();
        return hub;
    }

    Node node(int number, Role role) {
        return node(number, authority().node("node-" + number, role));
    }

    Node node(int number, SwarmIdentity identity) {
        return node(number, identity, QUICK, new Recorder());
    }

    Node node(int number, SwarmIdentity identity, LinkTimes times, Recorder heard) {
        Refusals own = new Refusals();
        InetAddress bind = hubAddress instanceof Inet6Address ? hubAddress : address(number);
        HubClient client = closing(new HubClient(bind, identity, threads, times, heard, own));
        return new Node(client, heard, own, identity);
    }

    InetSocketAddress at(HubServer hub) {
        return new InetSocketAddress(hubAddress, hub.port());
    }

    Connection dial(Node node, HubServer hub) throws Exception {
        return node.client().dial(at(hub)).get(20, TimeUnit.SECONDS);
    }
}
