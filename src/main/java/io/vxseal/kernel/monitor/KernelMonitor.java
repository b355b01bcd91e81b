package io.vxseal.kernel.monitor;

import io.vxseal.kernel.libc.Errno;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.libc.LibC;
import io.vxseal.kernel.netlink.NetlinkMessage;
import io.vxseal.kernel.netlink.NetlinkSocket;
import io.vxseal.kernel.netns.Namespace;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Hears from the kernel when somebody, this process included, changes firewall rules on nf_tables or takes IPsec states
 * or policies away in a network namespace. Rules of iptables-legacy change without a word.
 *
 * <p>For one thread.
 */
public final class KernelMonitor implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(KernelMonitor.class);

    private static final int AF_NETLINK = 16;
    private static final int SOCK_RAW = 3;
    private static final int SOCK_CLOEXEC = 0x80000;
    private static final int SOCKADDR_NL_LENGTH = 12;
    private static final int MSG_DONTWAIT = 0x40;

    // linux/netlink.h
    private static final int NETLINK_NETFILTER = 12;

    // linux/xfrm.h
    private static final int XFRMNLGRP_SA = 3;
    private static final int XFRMNLGRP_POLICY = 4;
    private static final int XFRM_MSG_DELSA = 0x11;
    private static final int XFRM_MSG_DELPOLICY = 0x14;
    private static final int XFRM_MSG_FLUSHSA = 0x1c;
    private static final int XFRM_MSG_FLUSHPOLICY = 0x1d;

    // linux/netfilter/nfnetlink.h and nf_tables.h
    private static final int NFNLGRP_NFTABLES = 7;
    private static final int NFNL_SUBSYS_NFTABLES = 10 << 8;
    private static final int NFT_MSG_DELTABLE = NFNL_SUBSYS_NFTABLES | 2;
    private static final int NFT_MSG_DELCHAIN = NFNL_SUBSYS_NFTABLES | 5;
    private static final int NFT_MSG_NEWRULE = NFNL_SUBSYS_NFTABLES | 6;
    private static final int NFT_MSG_DELRULE = NFNL_SUBSYS_NFTABLES | 8;
    private static final int NFT_MSG_DELSETELEM = NFNL_SUBSYS_NFTABLES | 14;

    // poll.h
    private static final int POLLIN = 1;
    private static final int POLLFD_LENGTH = 8;

    private static final int RECEIVE_BUFFER = 1 << 15;

    /** A reload is many changes in a row; looking at the middle of it would be for nothing. */
    private static final Duration SETTLE = Duration.ofMillis(100);

    private final List<Socket> sockets;
    private final ByteBuffer received = ByteBuffer.allocateDirect(RECEIVE_BUFFER).order(ByteOrder.nativeOrder());
    private final long receivedMemory = LibC.address(received);
    private final ByteBuffer polled;
    private final long polledMemory;

    private record Socket(int fd, Set<Integer> types) {}

    private KernelMonitor(List<Socket> sockets) {
        this.sockets = sockets;
        this.polled = ByteBuffer.allocateDirect(sockets.size() * POLLFD_LENGTH).order(ByteOrder.nativeOrder());
        this.polledMemory = LibC.address(polled);
    }

    /** Listens in the namespace, which may be closed afterwards; on a kernel without nf_tables to IPsec alone. */
    public static KernelMonitor in(Namespace namespace) throws KernelException {
        var sockets = new ArrayList<Socket>();
        sockets.add(socket(
                namespace,
                NetlinkSocket.NETLINK_XFRM,
                Set.of(XFRMNLGRP_SA, XFRMNLGRP_POLICY),
                Set.of(XFRM_MSG_DELSA, XFRM_MSG_DELPOLICY, XFRM_MSG_FLUSHSA, XFRM_MSG_FLUSHPOLICY)));
        try {
            sockets.add(socket(
                    namespace,
                    NETLINK_NETFILTER,
                    Set.of(NFNLGRP_NFTABLES),
                    Set.of(NFT_MSG_DELTABLE, NFT_MSG_DELCHAIN, NFT_MSG_NEWRULE, NFT_MSG_DELRULE, NFT_MSG_DELSETELEM)));
        } catch (KernelException absent) {
            log.info("changes of firewall rules are found by looking only: {}", absent.getMessage());
        }
        return new KernelMonitor(List.copyOf(sockets));
    }

    private static Socket socket(Namespace namespace, int protocol, Set<Integer> groups, Set<Integer> types)
            throws KernelException {
        int fd = namespace.within(() -> {
            int opened = LibC.INSTANCE.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
            if (opened < 0) {
                throw LibC.failure("open netlink socket to listen");
            }
            return opened;
        });
        // sockaddr_nl: family, a port of the kernel's choice, groups. A socket that is not bound hears nothing.
        ByteBuffer address = ByteBuffer.allocateDirect(SOCKADDR_NL_LENGTH).order(ByteOrder.nativeOrder());
        address.putShort(0, (short) AF_NETLINK).putInt(8, groups.stream().mapToInt(group -> 1 << group - 1).sum());
        if (LibC.INSTANCE.bind(fd, address) < 0) {
            KernelException failure = LibC.failure("listen to netlink groups " + groups + " of protocol " + protocol);
            LibC.INSTANCE.close(fd);
            throw failure;
        }
        return new Socket(fd, types);
    }

    /**
     * Waits until something was changed, and a moment longer for what belongs to it.
     *
     * @param most for so long if nothing is
     * @return whether something was
     */
    public boolean await(Duration most) throws InterruptedException {
        long end = System.nanoTime() + most.toNanos();
        for (long left = most.toNanos(); left > 0; left = end - System.nanoTime()) {
            poll(left);
            if (drain()) {
                Thread.sleep(SETTLE);
                drain();
                return true;
            }
            if (Thread.interrupted()) {
                throw new InterruptedException();
            }
        }
        return false;
    }

    private void poll(long nanos) {
        polled.clear();
        sockets.forEach(socket -> polled.putInt(socket.fd).putShort((short) POLLIN).putShort((short) 0));
        // Rounded up: a wait of less than a millisecond is not to become a loop without one.
        LibC.INSTANCE.poll(polledMemory, sockets.size(), (int) (nanos / 1_000_000 + 1));
    }

    /** Reads all there is; true if a change that matters was among it, or if the kernel could not keep all. */
    private boolean drain() {
        boolean changed = false;
        for (Socket socket : sockets) {
            while (true) {
                long length = LibC.INSTANCE.recv(socket.fd, receivedMemory, RECEIVE_BUFFER, MSG_DONTWAIT);
                if (length < 0) {
                    int errno = LibC.errno();
                    if (errno == Errno.EAGAIN) {
                        break;
                    }
                    changed |= errno == Errno.ENOBUFS;
                    if (errno != Errno.ENOBUFS && errno != Errno.EINTR) {
                        break;
                    }
                    continue;
                }
                for (int at = 0; at + NetlinkMessage.NLMSG_HDRLEN <= length; at = NetlinkMessage.next(received, at)) {
                    changed |= socket.types.contains(received.getShort(at + 4) & 0xffff);
                }
            }
        }
        return changed;
    }

    @Override
    public void close() {
        sockets.forEach(socket -> LibC.INSTANCE.close(socket.fd));
    }
}
