package io.vxseal.kernel;

import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.libc.LibC;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** A socket for whole frames, IP packets or datagrams, however wrong. Layouts are those of the kernel's headers. */
public final class RawSocket implements AutoCloseable {
    // linux/socket.h
    public static final int AF_INET = 2;
    public static final int AF_INET6 = 10;
    public static final int AF_PACKET = 17;
    public static final int SOCK_DGRAM = 2;
    public static final int SOCK_RAW = 3;
    public static final int MSG_DONTWAIT = 0x40;
    private static final short POLLIN = 1;
    private static final int SOCK_CLOEXEC = 0x80000;

    // asm-generic/socket.h, linux/if_packet.h, linux/if_ether.h
    private static final int SOL_SOCKET = 1;
    private static final int SO_SNDBUFFORCE = 32;
    private static final int SO_RCVBUFFORCE = 33;
    private static final int SOL_PACKET = 263;
    private static final int PACKET_VNET_HDR = 15;
    private static final int PACKET_IGNORE_OUTGOING = 23;
    private static final int ETH_P_ALL = 3;
    private static final int SOCKADDR_LL_LENGTH = 20;

    /** struct msghdr. */
    private static final int MSGHDR_LENGTH = 56;

    private static final int LARGEST = 65536;
    private static final int BUFFER = 64 << 20;

    /** Numbers of the call: {@code asm/unistd_64.h} of x86, {@code asm-generic/unistd.h}. */
    private static final long SENDMSG = System.getProperty("os.arch").equals("amd64") ? 46 : 211;

    private final int fd;
    private final ByteBuffer octets;
    private final ByteBuffer header = direct(MSGHDR_LENGTH);
    private final ByteBuffer vector = direct(16);
    private final ByteBuffer name = direct(32);

    private RawSocket(int fd, ByteBuffer octets) {
        this.fd = fd;
        this.octets = octets;
    }

    /**
     * Opens a socket in the namespace that the thread is in.
     *
     * @param buffer of {@link #buffer}, which one thread may use for its sockets one after the other
     */
    public static RawSocket open(int domain, int type, int protocol, ByteBuffer buffer) throws KernelException {
        return new RawSocket(check(LibC.INSTANCE.socket(domain, type | SOCK_CLOEXEC, protocol), "open socket"), buffer);
    }

    public static ByteBuffer buffer() {
        return direct(LARGEST);
    }

    /** Opens a socket that sends frames, each behind a struct virtio_net_hdr. */
    public static RawSocket sender(TestHost host, String link) throws KernelException {
        RawSocket socket = packet(host, link, 0);
        check(socket.set(SOL_PACKET, PACKET_VNET_HDR, number(1)), "set PACKET_VNET_HDR");
        // Fragments that wait for others are the sender's as long.
        check(socket.set(SOL_SOCKET, SO_SNDBUFFORCE, number(BUFFER)), "set SO_SNDBUFFORCE");
        return socket;
    }

    /** Opens a socket that hears all frames that come in on a link. */
    public static RawSocket listener(TestHost host, String link) throws KernelException {
        RawSocket socket = packet(host, link, ETH_P_ALL);
        check(socket.set(SOL_PACKET, PACKET_IGNORE_OUTGOING, number(1)), "set PACKET_IGNORE_OUTGOING");
        if (!socket.forceReceiveBuffer()) {
            throw LibC.failure("set SO_RCVBUFFORCE");
        }
        return socket;
    }

    private static RawSocket packet(TestHost host, String link, int protocol) throws KernelException {
        int index = host.route.links().find(link).orElseThrow().index();
        short inNetworkOrder = (short) (protocol << 8);
        RawSocket socket = host.within(() -> open(AF_PACKET, SOCK_RAW, 0, buffer()));
        check(LibC.INSTANCE.bind(socket.fd, direct(SOCKADDR_LL_LENGTH)
                .putShort(0, (short) AF_PACKET).putShort(2, inNetworkOrder).putInt(4, index)), "bind to " + link);
        return socket;
    }

    public static byte[] number(int value) {
        return ByteBuffer.allocate(4).order(ByteOrder.nativeOrder()).putInt(value).array();
    }

    public int set(int level, int option, byte[] value) {
        return LibC.INSTANCE.setsockopt(fd, level, option, direct(value.length).put(value));
    }

    /**
     * Sends without waiting.
     *
     * @param address where to, empty where the octets say
     * @return whether the kernel took it
     */
    public boolean send(byte[] data, byte[] address, int flags) {
        octets.clear().put(data);
        name.clear().put(address);
        vector.putLong(0, LibC.address(octets)).putLong(8, data.length);
        header.putLong(0, address.length == 0 ? 0 : LibC.address(name)).putInt(8, address.length)
                .putLong(16, LibC.address(vector)).putLong(24, 1);
        try {
            return LibC.INSTANCE.syscall(SENDMSG, fd, LibC.address(header), flags | MSG_DONTWAIT) >= 0;
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /** Has frames wait for a busy test; false if the thread lacks CAP_NET_ADMIN. */
    public boolean forceReceiveBuffer() {
        return set(SOL_SOCKET, SO_RCVBUFFORCE, number(BUFFER)) == 0;
    }

    /** Waits for a frame to come in; false if none does. */
    public boolean awaitFrame(int milliseconds) {
        ByteBuffer descriptor = direct(8).putInt(0, fd).putShort(4, POLLIN);
        return LibC.INSTANCE.poll(LibC.address(descriptor), 1, milliseconds) > 0;
    }

    /** Returns a frame that came in, empty if none is there. */
    public byte[] receive() {
        int length = (int) LibC.INSTANCE.recv(fd, LibC.address(octets), LARGEST, MSG_DONTWAIT);
        byte[] frame = new byte[Math.max(0, length)];
        octets.get(0, frame);
        return frame;
    }

    /** Forgets frames that came in. */
    public void drain() {
        while (receive().length > 0) {}
    }

    private static ByteBuffer direct(int length) {
        return ByteBuffer.allocateDirect(length).order(ByteOrder.nativeOrder());
    }

    private static int check(int result, String what) throws KernelException {
        if (result < 0) {
            throw LibC.failure(what);
        }
        return result;
    }

    @Override
    public void close() {
        LibC.INSTANCE.close(fd);
    }
}
