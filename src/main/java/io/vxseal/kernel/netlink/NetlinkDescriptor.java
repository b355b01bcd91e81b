package io.vxseal.kernel.netlink;

import io.vxseal.kernel.libc.Errno;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.libc.LibC;
import io.vxseal.kernel.netns.Namespace;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Set;

/**
 * The file descriptor of a netlink socket (netlink(7)). It belongs to the namespace in which it was opened, whichever thread
 * uses it.
 *
 * @param fd number of the descriptor
 */
public record NetlinkDescriptor(int fd) implements AutoCloseable {
    // linux/netlink.h: protocols
    public static final int NETLINK_ROUTE = 0;
    public static final int NETLINK_XFRM = 6;
    public static final int NETLINK_NETFILTER = 12;

    // linux/netlink.h: options
    static final int SOL_NETLINK = 270;
    static final int NETLINK_CAP_ACK = 10;
    static final int NETLINK_EXT_ACK = 11;

    // asm-generic/socket.h
    static final int SO_SNDBUFFORCE = 32;
    static final int SO_RCVBUFFORCE = 33;

    // bits/socket.h
    private static final int AF_NETLINK = 16;
    private static final int MSG_TRUNC = 0x20;

    /** Result of a receive if no datagram is queued. */
    public static final int NONE = -1;

    /** Result of a receive, once, if the kernel dropped datagrams that did not fit the receive buffer. Others are still queued. */
    public static final int OVERRUN = -2;

    /** Result of a receive that a signal interrupted. */
    private static final int INTERRUPTED = -3;

    /*
     * struct sockaddr_nl {                   // linux/netlink.h
     *     __kernel_sa_family_t nl_family;    //  0: AF_NETLINK
     *     unsigned short nl_pad;             //  2
     *     __u32 nl_pid;                      //  4: 0, the kernel chooses it
     *     __u32 nl_groups;                   //  8: mask of multicast groups
     * };                                     // 12
     */
    private static final int NL_FAMILY = 0;
    private static final int NL_GROUPS = 8;
    private static final int SOCKADDR_NL_LENGTH = 12;

    /** Opens a socket of a netlink protocol in the namespace. */
    public static NetlinkDescriptor open(Namespace namespace, int protocol) throws KernelException {
        return new NetlinkDescriptor(namespace.within(() -> {
            int opened = LibC.INSTANCE.socket(AF_NETLINK, LibC.SOCK_RAW | LibC.SOCK_CLOEXEC, protocol);
            if (opened < 0) {
                int errno = LibC.errno();
                String remedy = protocol == NETLINK_XFRM && errno == Errno.EPROTONOSUPPORT
                        ? "; the kernel lacks XFRM: modprobe xfrm_user, or use one built with CONFIG_XFRM_USER"
                        : "";
                throw new KernelException("open netlink socket", errno, LibC.text(errno) + remedy);
            }
            return opened;
        }));
    }

    /** Sets an option of the socket. A refusal is ignored. */
    void set(int level, int option, int value) {
        ByteBuffer number = ByteBuffer.allocateDirect(Integer.BYTES).order(ByteOrder.nativeOrder());
        number.putInt(0, value);
        LibC.INSTANCE.setsockopt(fd, level, option, number);
    }

    /** Joins multicast groups: the socket receives the kernel's messages to them from now on. */
    public void join(Set<Integer> groups) throws KernelException {
        ByteBuffer address = ByteBuffer.allocateDirect(SOCKADDR_NL_LENGTH).order(ByteOrder.nativeOrder());
        address.putShort(NL_FAMILY, (short) AF_NETLINK)
                .putInt(NL_GROUPS, groups.stream().mapToInt(group -> 1 << group - 1).sum());
        if (LibC.INSTANCE.bind(fd, address) < 0) {
            throw LibC.failure("join netlink groups " + groups);
        }
    }

    /** Sends one datagram, {@code length} octets at an address. */
    void send(long octets, int length) throws KernelException {
        long sent;
        do {
            sent = LibC.INSTANCE.send(fd, octets, length, 0);
        } while (sent < 0 && LibC.errno() == Errno.EINTR);
        if (sent < 0) {
            throw LibC.failure("send to netlink socket");
        }
    }

    /**
     * Receives one datagram without waiting, whether or not the kernel dropped others.
     *
     * @param memory address of {@code size} octets
     * @return the datagram's length in octets, or {@link #NONE}
     * @throws KernelException EMSGSIZE if the datagram is longer than the memory
     */
    int receive(long memory, int size) throws KernelException {
        int length;
        do {
            length = receiveOrOverrun(memory, size);
        } while (length == OVERRUN);
        if (length > size) {
            throw new KernelException(
                    "read netlink socket", Errno.EMSGSIZE, "an answer of " + length + " octets is too long");
        }
        return length;
    }

    /**
     * Receives one datagram without waiting.
     *
     * @param memory address of {@code size} octets
     * @return the datagram's length in octets, of which there may be more than the memory holds; {@link #NONE}, or {@link #OVERRUN}
     */
    public int receiveOrOverrun(long memory, int size) throws KernelException {
        int result;
        do {
            long length = LibC.INSTANCE.recv(fd, memory, size, LibC.MSG_DONTWAIT | MSG_TRUNC);
            result = length >= 0 ? (int) length : failedReceive();
        } while (result == INTERRUPTED);
        return result;
    }

    /**
     * Receives up to {@code most} datagrams in one call without waiting.
     *
     * @param headers address of as many mmsghdr
     * @return the number of datagrams, {@link #NONE}, or {@link #OVERRUN}
     */
    int receiveMany(long headers, int most) throws KernelException {
        int result;
        do {
            int count = LibC.INSTANCE.recvmmsg(fd, headers, most, LibC.MSG_DONTWAIT, 0);
            result = count >= 0 ? count : failedReceive();
        } while (result == INTERRUPTED);
        return result;
    }

    /** Returns the result of a receive that returned an error. */
    private static int failedReceive() throws KernelException {
        int errno = LibC.errno();
        return switch (errno) {
            case Errno.EAGAIN -> NONE;
            case Errno.ENOBUFS -> OVERRUN;
            case Errno.EINTR -> INTERRUPTED;
            default -> throw LibC.failure("read netlink socket", errno);
        };
    }

    @Override
    public void close() {
        LibC.INSTANCE.close(fd);
    }
}
