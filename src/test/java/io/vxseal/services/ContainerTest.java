package io.vxseal.services;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.balancer.BalancerChange;
import io.vxseal.kernel.balancer.EchoServer;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.PortUnreachableException;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A client's container and a task's, with a link between them. */
class ContainerTest {
    private static final String TABLE = "vxseal-abcdefg";
    private static final InetAddress VIP = InetAddress.ofLiteral("10.9.0.5");
    private static final InetAddress TASK = InetAddress.ofLiteral("10.9.0.12");

    @TempDir
    Path folder;

    private static void apply(Container container, InetAddress... tasks) throws Exception {
        container.apply(Map.of(VIP, List.of(tasks)), (before, after) -> BalancerChange.change(TABLE, before, after), Set.of());
    }

    private static String ask(DatagramChannel socket) throws Exception {
        socket.write(ByteBuffer.wrap(new byte[] {'?'}));
        ByteBuffer answer = ByteBuffer.allocate(64);
        socket.socket().setSoTimeout(5000);
        socket.read(answer);
        return new String(answer.array(), 0, answer.position(), StandardCharsets.US_ASCII);
    }

    @Test
    void udpSocketThatWasRefusedReachesTaskOnceThereIsOne() throws Exception {
        try (TestHost client = new TestHost(folder.resolve("client"));
                TestHost server = new TestHost(folder.resolve("server"));
                Container container = new Container(client.pin, TABLE, false)) {
            client.run("ip link add eth0 type veth peer name eth0 netns " + server.pin);
            client.run("ip address add 10.9.0.11/24 dev eth0");
            server.run("ip address add 10.9.0.12/24 dev eth0");
            client.run("ip link set eth0 up");
            server.run("ip link set eth0 up");
            assertThat(container.open()).isTrue();
            apply(container);
            try (EchoServer _ = new EchoServer(server, TASK);
                    DatagramChannel socket = client.within(DatagramChannel::open)) {
                socket.connect(new InetSocketAddress(VIP, EchoServer.PORT));
                assertThatThrownBy(() -> ask(socket)).isInstanceOf(PortUnreachableException.class);
                apply(container, TASK);
                assertThat(ask(socket)).isEqualTo("10.9.0.12 10.9.0.11");
            }
        }
    }
}
