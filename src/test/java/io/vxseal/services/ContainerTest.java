package io.vxseal.services;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.balancer.BalancerChange;
import io.vxseal.kernel.balancer.EchoServer;
import io.vxseal.kernel.libc.KernelException;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.PortUnreachableException;
import java.net.Socket;
import java.net.SocketException;
import java.nio.channels.DatagramChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A client's container and those of two tasks, with links between them. */
class ContainerTest {
    private static final String TABLE = "vxseal-abcdefg";
    private static final InetAddress VIP = InetAddress.ofLiteral("10.9.0.5");
    private static final InetAddress ONE = InetAddress.ofLiteral("10.9.0.12");
    private static final InetAddress TWO = InetAddress.ofLiteral("10.9.0.13");
    private static final String ANSWER_OF_ONE = "10.9.0.12 10.9.0.11";
    private static final String ANSWER_OF_TWO = "10.9.0.13 10.9.0.11";

    @TempDir
    Path folder;

    private final List<AutoCloseable> opened = new ArrayList<>();
    private TestHost client;
    private Container container;

    @BeforeEach
    void open() throws Exception {
        client = opened(new TestHost(folder.resolve("client")));
        client.run("ip link add br0 type bridge");
        client.run("ip address add 10.9.0.11/24 dev br0");
        client.run("ip link set br0 up");
        task("one", ONE);
        task("two", TWO);
        container = opened(new Container(client.pin, TABLE, false));
        assertThat(container.open()).isTrue();
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

    private void task(String name, InetAddress address) throws Exception {
        TestHost task = opened(new TestHost(folder.resolve(name)));
        client.connect(task, name, address.getHostAddress() + "/24");
        opened(new EchoServer(task, address));
    }

    private void apply(InetAddress... tasks) throws KernelException {
        container.apply(Map.of(VIP, List.of(tasks)), (before, after) -> BalancerChange.change(TABLE, before, after));
    }

    private DatagramSocket flow() throws Exception {
        DatagramSocket flow = opened(client.within(DatagramChannel::open)).socket();
        flow.setSoTimeout(5000);
        flow.connect(new InetSocketAddress(VIP, EchoServer.PORT));
        return flow;
    }

    private static String ask(DatagramSocket flow) throws IOException {
        flow.send(new DatagramPacket(new byte[] {'?'}, 1));
        DatagramPacket answer = new DatagramPacket(new byte[64], 64);
        flow.receive(answer);
        return new String(answer.getData(), 0, answer.getLength(), StandardCharsets.US_ASCII);
    }

    private Socket connection() throws Exception {
        // A plain Socket gets its descriptor, and so its namespace, only when it connects.
        Socket socket = opened(client.within(SocketChannel::open)).socket();
        socket.setSoTimeout(5000);
        socket.connect(new InetSocketAddress(VIP, EchoServer.PORT), 5000);
        return socket;
    }

    private static String ask(Socket connection) throws Exception {
        connection.getOutputStream().write('?');
        byte[] answer = new byte[64];
        int length = connection.getInputStream().read(answer);
        return length < 0 ? "closed" : new String(answer, 0, length, StandardCharsets.US_ASCII);
    }

    @Test
    void udpSocketThatWasRefusedReachesTaskOnceThereIsOne() throws Exception {
        apply();
        DatagramSocket flow = flow();
        assertThatThrownBy(() -> ask(flow)).isInstanceOf(PortUnreachableException.class);
        apply(ONE);
        assertThat(ask(flow)).isEqualTo(ANSWER_OF_ONE);
    }

    @Test
    void taskThatDrainedAndIsGoneLosesItsConnections() throws Exception {
        apply(ONE);
        DatagramSocket flow = flow();
        Socket connection = connection();
        assertThat(ask(flow)).isEqualTo(ANSWER_OF_ONE);
        assertThat(ask(connection)).isEqualTo(ANSWER_OF_ONE);

        apply(TWO);
        assertThat(ask(flow)).isEqualTo(ANSWER_OF_ONE);
        assertThat(ask(connection)).isEqualTo(ANSWER_OF_ONE);

        container.leave(ONE, true);
        apply(TWO);
        assertThat(ask(flow)).isEqualTo(ANSWER_OF_TWO);
        assertThatThrownBy(() -> ask(connection)).isInstanceOf(SocketException.class).hasMessageContaining("reset");
    }

    /** Another program owns the table meanwhile, so that the kernel refuses every change of it. */
    @Test
    void connectionsToGoneTaskAreResetOnceRefusedChangeSucceeds() throws Exception {
        apply(ONE);
        DatagramSocket flow = flow();
        assertThat(ask(flow)).isEqualTo(ANSWER_OF_ONE);
        try (OwnedTable _ = new OwnedTable(client, TABLE)) {
            container.leave(ONE, true);
            assertThatThrownBy(() -> apply(TWO)).isInstanceOf(KernelException.class);
        }
        apply(TWO);
        assertThat(ask(flow)).isEqualTo(ANSWER_OF_TWO);
    }

    /** A change does not touch all rules of the table. */
    @Test
    void damageBeforeChangeIsRepairedAfterIt() throws Exception {
        apply(ONE);
        assertThat(container.repair()).isFalse();
        client.run("nft flush chain ip " + TABLE + " output");
        apply(TWO);
        assertThat(container.repair()).isTrue();
        assertThat(ask(flow())).isEqualTo(ANSWER_OF_TWO);
        assertThat(container.repair()).isFalse();
    }

    @Test
    void goneEndpointThatWasNoServicesTaskKeepsConnections() throws Exception {
        apply(ONE);
        DatagramSocket flow = flow();
        assertThat(ask(flow)).isEqualTo(ANSWER_OF_ONE);
        container.leave(ONE, false);
        apply(TWO);
        assertThat(ask(flow)).isEqualTo(ANSWER_OF_ONE);
    }

    @Test
    void connectionsToWhereNoEndpointIsAreResetOnceAllAreKnown() throws Exception {
        apply(ONE);
        DatagramSocket flow = flow();
        assertThat(ask(flow)).isEqualTo(ANSWER_OF_ONE);
        apply(TWO);
        DatagramSocket other = flow();
        assertThat(ask(other)).isEqualTo(ANSWER_OF_TWO);

        assertThat(container.forgetAllBut(TWO::equals)).isEmpty();
        assertThat(ask(flow)).isEqualTo(ANSWER_OF_ONE);
        container.setUncertain();
        assertThat(container.forgetAllBut(TWO::equals)).containsExactly(TWO);
        assertThat(ask(flow)).isEqualTo(ANSWER_OF_TWO);
    }
}
