package io.vxseal.kernel.balancer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.conntrack.Conntrack;
import io.vxseal.kernel.netlink.NetlinkTransaction;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.PortUnreachableException;
import java.net.Socket;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests of the balancer with connections between namespaces: a client, which is a backend too, and two more backends. */
class BalancerTableTest {
    private static final String TABLE = "vxseal-abcdefg";
    private static final InetAddress VIP = InetAddress.ofLiteral("10.9.0.5");
    private static final InetAddress OTHER_VIP = InetAddress.ofLiteral("10.9.0.6");
    private static final InetAddress CLIENT = InetAddress.ofLiteral("10.9.0.11");
    private static final InetAddress ONE = InetAddress.ofLiteral("10.9.0.12");
    private static final InetAddress TWO = InetAddress.ofLiteral("10.9.0.13");

    /** So many connections miss one of three backends by chance once in 10^10 runs. */
    private static final int CONNECTIONS = 60;

    @TempDir
    Path folder;

    private TestHost bridge;
    private TestHost client;
    private final List<AutoCloseable> opened = new ArrayList<>();
    private BalancerTable table;
    private Conntrack conntrack;
    private Map<InetAddress, List<InetAddress>> content = Map.of();

    @BeforeEach
    void open() throws Exception {
        bridge = opened(new TestHost(folder.resolve("bridge")));
        bridge.run("ip link add br0 type bridge");
        bridge.run("ip link set br0 up");
        client = container("client", CLIENT);
        table = opened(BalancerTable.in(client.namespace()));
        conntrack = opened(Conntrack.in(client.namespace()));
        container("one", ONE);
        container("two", TWO);
    }

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable some : opened.reversed()) {
            some.close();
        }
    }

    private <T extends AutoCloseable> T opened(T some) {
        opened.add(some);
        return some;
    }

    private TestHost container(String name, InetAddress address) throws Exception {
        TestHost container = opened(new TestHost(folder.resolve(name)));
        bridge.connect(container, name, address.getHostAddress() + "/24");
        opened(new EchoServer(container, address));
        return container;
    }

    private void set(Map<InetAddress, List<InetAddress>> after) throws IOException {
        table.apply(content.isEmpty() ? BalancerChange.creation(TABLE, after) : BalancerChange.change(TABLE, content, after));
        content = after;
        assertThat(table.isIntact(TABLE, after)).isTrue();
    }

    /** Connects to a VIP, and returns the backend that answers and the client's address as that backend sees it. */
    private List<String> ask(InetAddress vip) throws IOException {
        try (Socket socket = connect(vip)) {
            return line(socket);
        }
    }

    private Socket connect(InetAddress vip) throws IOException {
        // A plain Socket gets its descriptor, and so its namespace, only when it connects.
        Socket socket = client.within(SocketChannel::open).socket();
        socket.setSoTimeout(5000);
        socket.connect(new InetSocketAddress(vip, EchoServer.PORT), 5000);
        return socket;
    }

    private static List<String> line(Socket socket) throws IOException {
        socket.getOutputStream().write('?');
        byte[] answer = new byte[64];
        int length = socket.getInputStream().read(answer);
        if (length < 0) {
            throw new SocketException("closed by the backend");
        }
        return List.of(new String(answer, 0, length, StandardCharsets.US_ASCII).split(" "));
    }

    private static String text(InetAddress address) {
        return address.getHostAddress();
    }

    @Test
    void sendsTcpToAllBackendsAndKeepsClientAddress() throws Exception {
        set(Map.of(VIP, List.of(CLIENT, ONE, TWO)));
        Set<String> answered = new HashSet<>();
        for (int n = 0; n < CONNECTIONS; n++) {
            List<String> answer = ask(VIP);
            answered.add(answer.getFirst());
            assertThat(answer.getLast()).isEqualTo(text(CLIENT));
        }
        assertThat(answered).containsExactlyInAnyOrder(text(CLIENT), text(ONE), text(TWO));
    }

    @Test
    void sendsUdpToBackendAndKeepsClientAddress() throws Exception {
        set(Map.of(VIP, List.of(ONE)));
        assertThat(askByUdp(opened(datagrams(VIP)))).containsExactly(text(ONE), text(CLIENT));
    }

    private DatagramChannel datagrams(InetAddress vip) throws IOException {
        return client.within(DatagramChannel::open).connect(new InetSocketAddress(vip, EchoServer.PORT));
    }

    private static List<String> askByUdp(DatagramChannel channel) throws IOException {
        channel.socket().setSoTimeout(3000);
        channel.write(ByteBuffer.wrap(new byte[] {'?'}));
        ByteBuffer answer = ByteBuffer.allocate(64);
        channel.read(answer);
        return List.of(new String(answer.array(), 0, answer.position(), StandardCharsets.US_ASCII).split(" "));
    }

    @Test
    void drainedBackendKeepsOldConnectionsAndGetsNoNewOnes() throws Exception {
        set(Map.of(VIP, List.of(ONE)));
        try (Socket old = connect(VIP); DatagramChannel flow = datagrams(VIP)) {
            assertThat(line(old)).startsWith(text(ONE));
            assertThat(askByUdp(flow)).startsWith(text(ONE));
            set(Map.of(VIP, List.of(TWO)));
            for (int n = 0; n < 8; n++) {
                assertThat(ask(VIP)).startsWith(text(TWO));
            }
            assertThat(line(old)).startsWith(text(ONE));
            assertThat(askByUdp(flow)).startsWith(text(ONE));
        }
    }

    @Test
    void goneBackendResetsConnectionsAndUdpGoesToAnother() throws Exception {
        set(Map.of(VIP, List.of(ONE)));
        try (Socket old = connect(VIP); DatagramChannel flow = datagrams(VIP)) {
            assertThat(line(old)).startsWith(text(ONE));
            assertThat(askByUdp(flow)).startsWith(text(ONE));
            bridge.run("ip link set one down");
            set(Map.of(VIP, List.of(TWO)));
            assertThat(conntrack.delete((to, from) -> to.equals(VIP) && from.equals(ONE))).isEqualTo(2);
            assertThat(askByUdp(flow)).startsWith(text(TWO));
            assertThatThrownBy(() -> line(old)).isInstanceOf(SocketException.class).hasMessageContaining("reset");
        }
    }

    @Test
    void vipWithoutBackendsRefusesAndResets() throws Exception {
        set(Map.of(VIP, List.of(ONE)));
        try (Socket old = connect(VIP)) {
            assertThat(line(old)).startsWith(text(ONE));
            set(Map.of(VIP, List.of()));
            conntrack.delete((to, from) -> to.equals(VIP));
            assertThatThrownBy(() -> line(old)).isInstanceOf(SocketException.class);
        }
        assertThatThrownBy(() -> ask(VIP)).isInstanceOf(ConnectException.class).hasMessageContaining("refused");
        set(Map.of(VIP, List.of(TWO)));
        assertThat(ask(VIP)).startsWith(text(TWO));
    }

    /** Although the client itself listens on that port. */
    @Test
    void vipWithoutBackendsRefusesUdpAsClosedPortDoes() throws Exception {
        set(Map.of(VIP, List.of()));
        try (DatagramChannel connected = datagrams(VIP);
                DatagramChannel unconnected = client.within(DatagramChannel::open)) {
            for (int n = 0; n < 3; n++) {
                assertThatThrownBy(() -> askByUdp(connected)).isInstanceOf(PortUnreachableException.class);
            }
            // The error reaches connected sockets only.
            for (int n = 0; n < 3; n++) {
                assertThat(unconnected.send(ByteBuffer.wrap(new byte[] {'?'}), new InetSocketAddress(VIP, EchoServer.PORT))).isOne();
            }
        }
    }

    @Test
    void changesComeAndGoByDifference() throws Exception {
        set(Map.of(VIP, List.of(ONE), OTHER_VIP, List.of()));
        set(Map.of(OTHER_VIP, List.of(ONE, TWO)));
        set(Map.of(VIP, List.of(), OTHER_VIP, List.of(TWO)));
        assertThat(ask(OTHER_VIP)).startsWith(text(TWO));
        set(Map.of(VIP, List.of(TWO)));
        assertThat(ask(VIP)).startsWith(text(TWO));
        assertThat(client.run("nft list table ip " + TABLE)).contains("numgen random mod 1 map { 0 : 10.9.0.13 }");
    }

    @Test
    void refusedChangeChangesNothing() throws Exception {
        set(Map.of(VIP, List.of(ONE)));
        NetlinkTransaction impossible = BalancerChange.change(TABLE, Map.of(OTHER_VIP, List.of(ONE)), Map.of(VIP, List.of(TWO)));
        assertThatThrownBy(() -> table.apply(impossible)).hasMessageContaining("balance connections");
        assertThat(table.isIntact(TABLE, content)).isTrue();
        assertThat(ask(VIP)).startsWith(text(ONE));
    }

    @Test
    void generationAndContentShowWhatOthersChange() throws Exception {
        set(Map.of(VIP, List.of(ONE), OTHER_VIP, List.of()));
        int generation = table.generation().orElseThrow();
        assertThat(table.generation()).hasValue(generation);
        client.run("nft add table ip other");
        assertThat(table.generation()).hasValue(generation + 1);
        assertThat(table.isIntact(TABLE, content)).isTrue();
        client.run("nft delete element ip " + TABLE + " vips { 10.9.0.5 }");
        assertThat(table.isIntact(TABLE, content)).isFalse();
        client.run("nft flush ruleset");
        assertThat(table.isIntact(TABLE, content)).isFalse();
        table.apply(BalancerChange.creation(TABLE, content));
        assertThat(table.isIntact(TABLE, content)).isTrue();
    }

    /** The number of rules and addresses stays the same in each case. */
    @ParameterizedTest
    @ValueSource(strings = {
        "replace rule ip %1$s v-10.9.0.5 handle %2$s dnat to numgen random mod 1 map { 0 : 10.9.0.99 }",
        "replace rule ip %1$s v-10.9.0.5 handle %2$s dnat to 10.9.0.12",
        "replace rule ip %1$s v-10.9.0.5 handle %2$s dnat to numgen random mod 1 offset 1 map { 0 : 10.9.0.12 }",
        "replace rule ip %1$s v-10.9.0.5 handle %2$s accept",
        "delete element ip %1$s vips { 10.9.0.5 }; add element ip %1$s vips { 10.9.0.5 : goto v-10.9.0.7 }",
        "delete element ip %1$s vips { 10.9.0.5 }; add element ip %1$s vips { 10.9.0.5 : drop }",
        "flush chain ip %1$s prerouting; add rule ip %1$s prerouting ip saddr vmap @vips",
        "flush chain ip %1$s refuse; add rule ip %1$s refuse ip daddr != @empty reject; add rule ip %1$s refuse ip daddr @empty reject",
        "add chain ip %1$s refuse { policy drop; }",
        "add table ip %1$s { flags dormant; }",
    })
    void changedRuleMapAndChainAreFound(String change) throws Exception {
        set(Map.of(VIP, List.of(ONE), OTHER_VIP, List.of(), InetAddress.ofLiteral("10.9.0.7"), List.of(TWO)));
        String chain = client.run("nft -a list chain ip %s v-10.9.0.5".formatted(TABLE));
        String handle = chain.substring(chain.indexOf("map {")).replaceFirst("(?s).*?# handle (\\d+).*", "$1");
        client.run(List.of("nft", change.formatted(TABLE, handle)));
        assertThat(table.isIntact(TABLE, content)).isFalse();
    }

    @Test
    void removeLeavesNothing() throws Exception {
        set(Map.of(VIP, List.of(ONE)));
        table.remove(TABLE);
        table.remove(TABLE);
        assertThat(client.run("nft list ruleset")).isEmpty();
    }

    @Test
    void takesHundredsOfServicesInOneTransaction() throws Exception {
        Map<InetAddress, List<InetAddress>> many = new HashMap<>();
        List<InetAddress> backends = new ArrayList<>();
        for (int n = 0; n < 200; n++) {
            backends.add(InetAddress.ofLiteral("10.9.2." + n));
        }
        for (int n = 0; n < 250; n++) {
            many.put(InetAddress.ofLiteral("10.9.1." + n), backends);
        }
        set(many);
    }
}
