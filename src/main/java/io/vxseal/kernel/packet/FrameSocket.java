package io.vxseal.kernel.packet;

import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.libc.LibC;
import io.vxseal.kernel.netns.Namespace;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.Optional;

/**
 * A packet socket on one link: sends whole Ethernet frames as if the link's bridge had, and receives those that come in on it. Not safe for
 * use by several threads at once.
 *
 * <pre>{@code
 * struct sockaddr_ll {              // linux/if_packet.h
 *     unsigned short sll_family;    // 0
 *     __be16 sll_protocol;          // 2
 *     int sll_ifindex;              // 4
 *     ...
 * };                                // 20
 * struct pollfd {                   // asm-generic/poll.h
 *     int fd;                       // 0
 *     short events;                 // 4
 *     short revents;                // 6
 * };                                // 8
 * struct sock_fprog {               // linux/filter.h
 *     unsigned short len;           // 0
 *     struct sock_filter *filter;   // 8
 * };                                // 16
 * }</pre>
 */
public final class FrameSocket implements AutoCloseable {
    private static final int AF_PACKET = 17;
    private static final int SO_PRIORITY = 12;
    private static final int SO_ATTACH_FILTER = 26;
    private static final int SO_MARK = 36;
    private static final int SOL_PACKET = 263;
    private static final int PACKET_VNET_HDR = 15;
    private static final short POLLIN = 1;
    /** A socket for one protocol would receive nothing of a bridge's port, because the bridge takes the frames before. */
    private static final short ETH_P_ALL = 3;

    private static final int SLL_FAMILY = 0;
    private static final int SLL_PROTOCOL = 2;
    private static final int SLL_IFINDEX = 4;
    private static final int SOCKADDR_LL_LENGTH = 20;

    private static final int POLLFD_FD = 0;
    private static final int POLLFD_EVENTS = 4;
    private static final int POLLFD_LENGTH = 8;

    private static final int FPROG_FILTER = 8;
    private static final int FPROG_LENGTH = 16;

    /** With a header in front. */
    private static final int LONGEST_FRAME = 65_536 + VirtioHeader.LENGTH;

    private final int fd;
    private final ByteBuffer octets = direct(LONGEST_FRAME);

    private FrameSocket(int fd) {
        this.fd = fd;
    }

    /**
     * Opens a socket. What goes out comes in as well.
     *
     * @param link index of the link
     * @param filter of the frames that come in
     * @param mark firewall mark of the frames that it sends
     * @param priority their packet priority
     */
    public static FrameSocket open(Namespace namespace, int link, FrameFilter filter, int mark, int priority) throws KernelException {
        return open(namespace, link, filter, mark, priority, false);
    }

    /**
     * Opens a socket whose frames have a header in front, in both directions, that says whether the checksum is left to the link
     * ({@link VirtioHeader}, packet(7) PACKET_VNET_HDR).
     *
     * @see #open
     */
    public static FrameSocket openWithHeaders(Namespace namespace, int link, FrameFilter filter, int mark, int priority)
            throws KernelException {
        return open(namespace, link, filter, mark, priority, true);
    }

    private static FrameSocket open(Namespace namespace, int link, FrameFilter filter, int mark, int priority, boolean headers)
            throws KernelException {
        // Without a protocol it receives nothing until it is bound, and then of its link only.
        int fd = namespace.within(() ->
                checked(LibC.INSTANCE.socket(AF_PACKET, LibC.SOCK_RAW | LibC.SOCK_CLOEXEC, 0), "open packet socket"));
        FrameSocket socket = new FrameSocket(fd);
        try {
            checked(LibC.INSTANCE.setsockopt(fd, LibC.SOL_SOCKET, SO_MARK, number(mark)), "set SO_MARK");
            checked(LibC.INSTANCE.setsockopt(fd, LibC.SOL_SOCKET, SO_PRIORITY, number(priority)), "set SO_PRIORITY");
            if (headers) {
                checked(LibC.INSTANCE.setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, number(1)), "set PACKET_VNET_HDR");
            }
            attach(fd, filter);
            checked(LibC.INSTANCE.bind(fd, direct(SOCKADDR_LL_LENGTH)
                    .putShort(SLL_FAMILY, (short) AF_PACKET)
                    .putShort(SLL_PROTOCOL, Short.reverseBytes(ETH_P_ALL))
                    .putInt(SLL_IFINDEX, link)), "bind packet socket");
        } catch (KernelException failure) {
            socket.close();
            throw failure;
        }
        return socket;
    }

    private static void attach(int fd, FrameFilter filter) throws KernelException {
        ByteBuffer program = filter.program();
        try {
            checked(LibC.INSTANCE.setsockopt(fd, LibC.SOL_SOCKET, SO_ATTACH_FILTER, direct(FPROG_LENGTH)
                    .putShort(0, (short) filter.instructions())
                    .putLong(FPROG_FILTER, LibC.address(program))), "attach filter to packet socket");
        } finally {
            Reference.reachabilityFence(program);
        }
    }

    /** Sends a frame. Returns whether the kernel took it; it may still drop it. */
    public boolean send(byte[] frame) {
        octets.clear().put(frame);
        try {
            return LibC.INSTANCE.send(fd, LibC.address(octets), frame.length, LibC.MSG_DONTWAIT) == frame.length;
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /** Waits for a frame, and returns it; empty if none comes for so long. */
    public Optional<ByteBuffer> receive(Duration patience) {
        ByteBuffer descriptor = direct(POLLFD_LENGTH).putInt(POLLFD_FD, fd).putShort(POLLFD_EVENTS, POLLIN);
        try {
            if (LibC.INSTANCE.poll(LibC.address(descriptor), 1, (int) patience.toMillis()) <= 0) {
                return Optional.empty();
            }
            long length = LibC.INSTANCE.recv(fd, LibC.address(octets), LONGEST_FRAME, LibC.MSG_DONTWAIT);
            return length < 0 ? Optional.empty() : Optional.of(octets.slice(0, (int) length).order(ByteOrder.BIG_ENDIAN));
        } finally {
            Reference.reachabilityFence(this);
            Reference.reachabilityFence(descriptor);
        }
    }

    @Override
    public void close() {
        LibC.INSTANCE.close(fd);
    }

    private static int checked(int result, String what) throws KernelException {
        if (result < 0) {
            throw LibC.failure(what);
        }
        return result;
    }

    private static ByteBuffer number(int value) {
        return direct(Integer.BYTES).putInt(0, value);
    }

    private static ByteBuffer direct(int length) {
        return ByteBuffer.allocateDirect(length).order(ByteOrder.nativeOrder());
    }
}
