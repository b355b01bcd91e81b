package io.vxseal.kernel.monitor;

import io.vxseal.kernel.firewall.NftMessages;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.libc.LibC;
import io.vxseal.kernel.netlink.NetlinkDescriptor;
import io.vxseal.kernel.netlink.NetlinkHeader;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.route.NeighbourMessages;
import io.vxseal.kernel.xfrm.XfrmMessages;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A monitor of changes in a network namespace, by this or any other process: firewall rules of nf_tables, and removals of
 * IPsec states and policies. Firewall rules of more namespaces can be added, and what their VXLAN devices miss. The kernel does not report
 * changes of iptables-legacy.
 *
 * <p>One thread waits. Others may add and close watches meanwhile.
 */
public final class KernelMonitor implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(KernelMonitor.class);

    /*
     * struct epoll_event {     // sys/epoll.h, packed on x86
     *     uint32_t events;     // 0
     *     epoll_data_t data;   // 4 or 8: unused, all sockets are read after each wait
     * };                       // 12 or 16
     */
    private static final int EPOLL_EVENT_LENGTH = 16;

    private static final int RECEIVE_BUFFER = 1 << 15;

    /** Wait for the rest of a change: a reload of a firewall is many messages in a row. */
    private static final Duration SETTLE = Duration.ofMillis(100);

    private final int epoll;

    /** Guarded by this, also while their sockets are read: a closed socket's number may be another file's at once. */
    private final Set<Watch> watches = new HashSet<>();

    private final ByteBuffer received = direct(RECEIVE_BUFFER);
    private final long receivedMemory = LibC.address(received);
    private final ByteBuffer readable = direct(EPOLL_EVENT_LENGTH).putInt(0, LibC.EPOLLIN);
    private final ByteBuffer waited = direct(EPOLL_EVENT_LENGTH);
    private final long waitedMemory = LibC.address(waited);

    /**
     * A socket that joined multicast groups. It holds its namespace open until it is closed, and may be closed more than once, also after
     * the monitor.
     */
    public final class Watch implements AutoCloseable {
        private final NetlinkDescriptor socket;

        /** Messages that report a change. */
        private final Set<Integer> types;

        private Watch(NetlinkDescriptor socket, Set<Integer> types) {
            this.socket = socket;
            this.types = types;
        }

        @Override
        public void close() {
            synchronized (KernelMonitor.this) {
                if (watches.remove(this)) {
                    // A child between fork and exec has a copy of the socket, which would stay in the epoll.
                    LibC.INSTANCE.epoll_ctl(epoll, LibC.EPOLL_CTL_DEL, socket.fd(), readable);
                    socket.close();
                }
            }
        }
    }

    private KernelMonitor(int epoll) {
        this.epoll = epoll;
    }

    private static ByteBuffer direct(int octets) {
        return ByteBuffer.allocateDirect(octets).order(ByteOrder.nativeOrder());
    }

    /** Opens a monitor of nothing, to which watches are added. */
    public static KernelMonitor open() throws KernelException {
        int epoll = LibC.INSTANCE.epoll_create1(LibC.EPOLL_CLOEXEC);
        if (epoll < 0) {
            throw LibC.failure("open epoll");
        }
        return new KernelMonitor(epoll);
    }

    /** Opens a monitor of the namespace, which may be closed afterwards. On a kernel without nf_tables it reports IPsec only. */
    public static KernelMonitor in(Namespace namespace) throws KernelException {
        KernelMonitor monitor = open();
        try {
            monitor.watch(namespace, NetlinkDescriptor.NETLINK_XFRM, XfrmMessages.GROUPS, XfrmMessages.REMOVALS);
        } catch (KernelException failure) {
            monitor.close();
            throw failure;
        }
        try {
            monitor.watch(namespace);
        } catch (KernelException absent) {
            log.info("the kernel does not report changes of firewall rules, relying on the periodic check: {}",
                    absent.getMessage());
        }
        return monitor;
    }

    /**
     * Adds the firewall rules of a namespace, which may be closed afterwards. What changes once this has returned is reported, also to a
     * thread that waits already.
     */
    public Watch watch(Namespace namespace) throws KernelException {
        return watch(namespace, NetlinkDescriptor.NETLINK_NETFILTER, NftMessages.GROUPS, NftMessages.CHANGES);
    }

    /**
     * Adds the addresses that were asked for in a namespace, which may be closed afterwards, and that its VXLAN devices have no entry of.
     * Reports none again until it is asked for again.
     */
    public Watch watchMisses(Namespace namespace) throws KernelException {
        return watch(namespace, NetlinkDescriptor.NETLINK_ROUTE, NeighbourMessages.GROUPS, NeighbourMessages.MISSES);
    }

    private Watch watch(Namespace namespace, int protocol, Set<Integer> groups, Set<Integer> types) throws KernelException {
        NetlinkDescriptor socket = NetlinkDescriptor.open(namespace, protocol);
        try {
            socket.join(groups);
            return add(new Watch(socket, types));
        } catch (KernelException failure) {
            socket.close();
            throw failure;
        }
    }

    private synchronized Watch add(Watch watch) throws KernelException {
        if (LibC.INSTANCE.epoll_ctl(epoll, LibC.EPOLL_CTL_ADD, watch.socket.fd(), readable) < 0) {
            throw LibC.failure("add netlink socket to epoll");
        }
        watches.add(watch);
        return watch;
    }

    /**
     * Waits until something changed, and a moment longer for the rest of that change.
     *
     * @param timeout longest wait for a change
     * @return whether something changed
     */
    public boolean await(Duration timeout) throws InterruptedException {
        long end = System.nanoTime() + timeout.toNanos();
        for (long left = timeout.toNanos(); left > 0; left = end - System.nanoTime()) {
            // Rounded up: a timeout of 0 ms would make this spin during the last millisecond.
            LibC.INSTANCE.epoll_wait(epoll, waitedMemory, 1, (int) (left / 1_000_000 + 1));
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

    /** Reads all queued messages and returns whether one reported a change, or the kernel dropped some. */
    private synchronized boolean drain() {
        boolean changed = false;
        for (Watch watch : watches) {
            changed |= drain(watch);
        }
        return changed;
    }

    private boolean drain(Watch watch) {
        boolean changed = false;
        try {
            while (true) {
                int length = watch.socket.receiveOrOverrun(receivedMemory, RECEIVE_BUFFER);
                if (length == NetlinkDescriptor.NONE) {
                    return changed;
                }
                changed |= length == NetlinkDescriptor.OVERRUN;
                int end = Math.min(length, RECEIVE_BUFFER);
                for (int at = 0; at + NetlinkHeader.NLMSG_HDRLEN <= end; at = NetlinkHeader.next(received, at)) {
                    changed |= watch.types.contains(NetlinkHeader.type(received, at));
                }
            }
        } catch (KernelException failure) {
            log.debug("relying on the periodic check: {}", failure.getMessage());
            return changed;
        }
    }

    /** Closes the monitor and all its watches. No thread may wait. */
    @Override
    public synchronized void close() {
        List.copyOf(watches).forEach(Watch::close);
        LibC.INSTANCE.close(epoll);
    }
}
