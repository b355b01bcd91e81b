package io.vxseal.kernel.balancer;

import io.vxseal.kernel.TestHost;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.charset.StandardCharsets;

/** A server in a namespace that answers each octet, over TCP and UDP, with its own address and the client's. */
public final class EchoServer implements AutoCloseable {
    public static final int PORT = 8080;

    private final String name;
    private final ServerSocket listening;
    private final DatagramChannel datagrams;

    public EchoServer(TestHost host, InetAddress address) throws IOException {
        name = address.getHostAddress();
        listening = host.within(() -> new ServerSocket(PORT));
        datagrams = host.within(() -> DatagramChannel.open().bind(new InetSocketAddress(PORT)));
        Thread.ofPlatform().daemon().start(this::accept);
        Thread.ofPlatform().daemon().start(this::answerDatagrams);
    }

    private byte[] answer(SocketAddress client) {
        return (name + " " + ((InetSocketAddress) client).getAddress().getHostAddress()).getBytes(StandardCharsets.US_ASCII);
    }

    private void accept() {
        try {
            while (true) {
                Socket socket = listening.accept();
                Thread.ofPlatform().daemon().start(() -> answerConnection(socket));
            }
        } catch (IOException closed) {
            // the test has ended
        }
    }

    private void answerConnection(Socket socket) {
        try (socket) {
            while (socket.getInputStream().read() >= 0) {
                socket.getOutputStream().write(answer(socket.getRemoteSocketAddress()));
            }
        } catch (IOException closed) {
            // by the client
        }
    }

    private void answerDatagrams() {
        try {
            ByteBuffer question = ByteBuffer.allocate(64);
            while (true) {
                SocketAddress client = datagrams.receive(question.clear());
                datagrams.send(ByteBuffer.wrap(answer(client)), client);
            }
        } catch (IOException closed) {
            // the test has ended
        }
    }

    @Override
    public void close() throws IOException {
        listening.close();
        datagrams.close();
    }
}
