package io.vxseal.cluster.link;

import io.vxseal.swarm.SwarmIdentity;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import javax.net.ssl.SSLSocket;

/** Hostile end of a session: TLS with a certificate, and beyond that whatever a test writes. */
final class RawClient implements AutoCloseable {
    private final SSLSocket socket;

    /** Connects and shakes hands. */
    RawClient(InetAddress from, InetSocketAddress hub, SwarmIdentity identity) throws IOException {
        Socket plain = connect(from, hub);
        try {
            socket = (SSLSocket) new TlsContext(identity, (_, _) -> { }).client().getSslContext().getSocketFactory()
                    .createSocket(plain, hub.getAddress().getHostAddress(), hub.getPort(), true);
            socket.setSoTimeout(20_000);
            socket.startHandshake();
        } catch (IOException e) {
            plain.close();
            throw e;
        }
    }

    /** Connects and says nothing. */
    static Socket connect(InetAddress from, InetSocketAddress hub) throws IOException {
        Socket socket = new Socket();
        socket.setReuseAddress(true);
        socket.bind(new InetSocketAddress(from, 0));
        socket.connect(hub, 20_000);
        return socket;
    }

    /** Asks for a session as a node does, and returns the status line. */
    String open() throws IOException {
        return request("POST " + HubServer.PATH + " HTTP/1.1\r\nHost: hub\r\nTransfer-Encoding: chunked\r\n\r\n");
    }

    /** Sends a request's head and returns the status line of the answer. */
    String request(String head) throws IOException {
        write(head.getBytes(StandardCharsets.US_ASCII));
        StringBuilder line = new StringBuilder();
        for (int octet = input().read(); octet >= 0 && octet != '\r'; octet = input().read()) {
            line.append((char) octet);
        }
        return line.toString();
    }

    void write(byte[] octets) throws IOException {
        OutputStream output = socket.getOutputStream();
        output.write(octets);
        output.flush();
    }

    /** Sends a chunk of the body. */
    void chunk(byte[] octets) throws IOException {
        byte[] head = (Integer.toHexString(octets.length) + "\r\n").getBytes(StandardCharsets.US_ASCII);
        write(ByteBuffer.allocate(head.length + octets.length + 2).put(head).put(octets).put((byte) '\r').put((byte) '\n').array());
    }

    static byte[] frame(int type, int length, byte[] payload) {
        ByteBuffer frame = ByteBuffer.allocate(Frame.HEADER + payload.length);
        Frame.putHeader(frame, type, length);
        return frame.put(payload).array();
    }

    InputStream input() throws IOException {
        return socket.getInputStream();
    }

    /** Waits until the hub has closed the connection. */
    void awaitEnd() throws IOException {
        try {
            input().transferTo(OutputStream.nullOutputStream());
        } catch (java.net.SocketTimeoutException e) {
            throw e;
        } catch (IOException _) {
            // Reset, or closed without TLS's goodbye.
        }
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
