package io.vxseal.kernel.netns;

import io.vxseal.address.IpAddress;
import io.vxseal.kernel.libc.Errno;
import io.vxseal.kernel.libc.KernelException;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/**
 * A UDP socket with a port, or a TCP socket that listens, in a network namespace ({@code proc_net_tcp(5)}).
 *
 * @param address to which it is bound
 * @param inode of the socket by which the descriptors of processes name it
 */
public record BoundSocket(InetAddress address, int port, long inode) {
    private static final int LOCAL_ADDRESS = 1;
    private static final int STATE = 3;
    private static final int INODE = 9;

    /** {@code net/tcp_states.h}: TCP_LISTEN. */
    private static final String LISTENS = "0A";

    /** Returns the UDP sockets. */
    public static List<BoundSocket> udp(Namespace namespace) throws KernelException {
        return read(namespace, "udp", false);
    }

    /** Returns the TCP sockets that listen. */
    public static List<BoundSocket> tcp(Namespace namespace) throws KernelException {
        return read(namespace, "tcp", true);
    }

    private static List<BoundSocket> read(Namespace namespace, String protocol, boolean listening) throws KernelException {
        List<BoundSocket> sockets = new ArrayList<>();
        namespace.within(() -> {
            for (String table : List.of(protocol, protocol + "6")) {
                Path file = Path.of("/proc/thread-self/net", table);
                try {
                    Files.readAllLines(file).stream().skip(1)
                            .map(line -> line.strip().split("\\s+"))
                            .filter(words -> !listening || words[STATE].equals(LISTENS))
                            .map(BoundSocket::of)
                            .forEach(sockets::add);
                } catch (NoSuchFileException none) {
                    // The kernel has no IPv6.
                } catch (IOException failure) {
                    throw new KernelException("read " + file, Errno.EIO, failure.toString());
                }
            }
            return 0;
        });
        return sockets;
    }

    private static BoundSocket of(String... words) {
        String[] local = words[LOCAL_ADDRESS].split(":");
        return new BoundSocket(address(local[0]), Integer.parseInt(local[1], 16), Long.parseLong(words[INODE]));
    }

    /** Reads an address, which is printed as words in the order of the host. */
    private static InetAddress address(String printed) {
        byte[] octets = HexFormat.of().parseHex(printed);
        ByteBuffer words = ByteBuffer.wrap(octets);
        ByteBuffer address = ByteBuffer.allocate(octets.length).order(ByteOrder.nativeOrder());
        while (words.hasRemaining()) {
            address.putInt(words.getInt());
        }
        return IpAddress.of(address.array());
    }
}
