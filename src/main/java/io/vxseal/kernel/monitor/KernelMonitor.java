package io.vxseal.kernel.monitor;

import io.vxseal.kernel.firewall.NftMessages;
import io.vxseal.kernel.libc.Errno;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.libc.LibC;
import io.vxseal.kernel.netlink.NetlinkDescriptor;
import io.vxseal.kernel.netlink.NetlinkHeader;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.xfrm.XfrmMessages;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A monitor of changes in a network namespace, by this or any other process: firewall rules of nf_tables, and removals of
 * IPsec states and policies. The kernel does not report changes of iptables-legacy.
 *
 * <p>For one thread.
 */
public final class KernelMonitor implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(KernelMonitor.class);

    private static final int MSG_DONTWAIT = 0x40;

    /*
     * struct pollfd {          // poll.h
     *     int fd;              // 0
     *     short int events;    // 4
     *     short int revents;   // 6
     * };                       // 8
     */
    private static final int POLLFD_LENGTH = 8;
    private static final int POLLIN = 1;

    private static final int RECEIVE_BUFFER = 1 << 15;

    /** Wait for the rest of a change: a reload of a firewall is many messages in a row. */
    private static final Duration SETTLE = Duration.ofMillis(100);

    private final List<Subscription> subscriptions;
    private final ByteBuffer received = direct(RECEIVE_BUFFER);
    private final long receivedMemory = LibC.address(received);
    private final ByteBuffer polled;
    private final long polledMemory;

    /**
     * A socket that joined multicast groups.
     *
     * @param types messages that report a change
     */
    private record Subscription(NetlinkDescriptor socket, Set<Integer> types) {
        static Subscription open(Namespace namespace, int protocol, Set<Integer> groups, Set<Integer> types)
                throws KernelException {
            NetlinkDescriptor socket = NetlinkDescriptor.open(namespace, protocol);
            try {
                socket.join(groups);
            } catch (KernelException failure) {
                socket.close();
                throw failure;
            }
            return new Subscription(socket, types);
        }
    }

    private KernelMonitor(List<Subscription> subscriptions) {
        this.subscriptions = subscriptions;
        this.polled = direct(subscriptions.size() * POLLFD_LENGTH);
        this.polledMemory = LibC.address(polled);
    }

    private static ByteBuffer direct(int octets) {
        return ByteBuffer.allocateDirect(octets).order(ByteOrder.nativeOrder());
    }

    /** Opens a monitor of the namespace, which may be closed afterwards. On a kernel without nf_tables it reports IPsec only. */
    public static KernelMonitor in(Namespace namespace) throws KernelException {
        var subscriptions = new ArrayList<Subscription>();
        subscriptions.add(Subscription.open(
                namespace,
                NetlinkDescriptor.NETLINK_XFRM,
                XfrmMessages.GROUPS,
                XfrmMessages.REMOVALS));
        try {
            subscriptions.add(Subscription.open(
                    namespace,
                    NetlinkDescriptor.NETLINK_NETFILTER,
                    NftMessages.GROUPS,
                    NftMessages.CHANGES));
        } catch (KernelException absent) {
            log.info("the kernel does not report changes of firewall rules, relying on the periodic check: {}",
                    absent.getMessage());
        }
        return new KernelMonitor(List.copyOf(subscriptions));
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
        subscriptions.forEach(subscription ->
                polled.putInt(subscription.socket.fd()).putShort((short) POLLIN).putShort((short) 0));
        // Rounded up: a timeout of 0 ms would make await() spin during the last millisecond.
        LibC.INSTANCE.poll(polledMemory, subscriptions.size(), (int) (nanos / 1_000_000 + 1));
    }

    /** Reads all queued messages and returns whether one reported a change, or the kernel dropped some. */
    private boolean drain() {
        boolean changed = false;
        for (Subscription subscription : subscriptions) {
            changed |= drain(subscription);
        }
        return changed;
    }

    private boolean drain(Subscription subscription) {
        boolean changed = false;
        while (true) {
            long length = LibC.INSTANCE.recv(subscription.socket.fd(), receivedMemory, RECEIVE_BUFFER, MSG_DONTWAIT);
            if (length >= 0) {
                for (int at = 0; at + NetlinkHeader.NLMSG_HDRLEN <= length; at = NetlinkHeader.next(received, at)) {
                    changed |= subscription.types.contains(NetlinkHeader.type(received, at));
                }
                continue;
            }
            int errno = LibC.errno();
            changed |= errno == Errno.ENOBUFS;
            if (errno != Errno.ENOBUFS && errno != Errno.EINTR) {
                return changed;
            }
        }
    }

    @Override
    public void close() {
        subscriptions.forEach(subscription -> subscription.socket.close());
    }
}
