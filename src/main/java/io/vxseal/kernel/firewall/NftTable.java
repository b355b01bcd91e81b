package io.vxseal.kernel.firewall;

import io.vxseal.kernel.libc.Errno;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netlink.NetlinkDescriptor;
import io.vxseal.kernel.netlink.NetlinkSocket;
import io.vxseal.kernel.netns.Namespace;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A table of nf_tables in one namespace, which is replaced whole. Whether it is unchanged is asked of the kernel by netlink; nft
 * runs only to change it. The reference is what the kernel listed right after nft made the table.
 */
final class NftTable implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(NftTable.class);

    private static final List<String> NFT = List.of("nft", "-f", "-");

    /** The remedy for a failure of nft that is due neither to its absence nor to a missing capability. */
    @FunctionalInterface
    interface Diagnosis {
        String remedy() throws FirewallException;
    }

    /** What the table was made of, and how the kernel listed it right after. */
    private record Reference(NftContent content, NftListing listing) {}

    private final CommandRunner runner;
    private final NftFamily family;
    private final String name;
    private final Diagnosis diagnosis;
    private final DropMeter meter = new DropMeter();

    /** Guards the table from reading it to the change that follows, and the fields below. Held over nft. */
    private final ReentrantLock lock = new ReentrantLock();

    private Optional<NetlinkSocket> socket = Optional.empty();

    /** Whether the kernel refused named counters: the rules then drop without counting. */
    private volatile boolean uncounted;

    /** Whether the last reading of counters failed. */
    private volatile boolean unread;

    /** Empty before this object made the table, and after it removed it. */
    private Optional<Reference> reference = Optional.empty();

    /**
     * Creates an object for a table without making it.
     *
     * @param runner of nft; its namespace must stay open as long as the table is used
     */
    NftTable(CommandRunner runner, NftFamily family, String name, Diagnosis diagnosis) {
        this.runner = runner;
        this.family = family;
        this.name = name;
        this.diagnosis = diagnosis;
    }

    /** Returns whether the namespace has a table with that name, whatever its content. */
    static boolean exists(Namespace namespace, NftFamily family, String name) throws FirewallException {
        try (NetlinkSocket socket = NetlinkSocket.open(namespace, NetlinkDescriptor.NETLINK_NETFILTER)) {
            return NftListing.exists(socket, family, name);
        } catch (KernelException failure) {
            if (lacksNfnetlink(failure)) {
                return false;
            }
            throw unreadable(failure);
        }
    }

    /** Lists the table, and reads its counters. A kernel without nf_tables has none. */
    NftListing list() throws FirewallException {
        lock.lock();
        try {
            if (socket.isEmpty()) {
                socket = Optional.of(NetlinkSocket.open(runner.namespace(), NetlinkDescriptor.NETLINK_NETFILTER));
            }
            NftListing listing = NftListing.read(socket.get(), family, name);
            readCounters(socket.get(), listing);
            return listing;
        } catch (KernelException failure) {
            if (lacksNfnetlink(failure)) {
                return NftListing.NONE;
            }
            throw unreadable(failure);
        } finally {
            lock.unlock();
        }
    }

    /** Reads the counters, without which the rules are as good: a failure is logged once. */
    private void readCounters(NetlinkSocket in, NftListing listing) {
        try {
            meter.read(listing.isEmpty() ? Map.of() : Map.of(name, NftListing.drops(in, family, name)));
            unread = false;
        } catch (KernelException failure) {
            if (!unread) {
                log.warn("cannot read what table {} dropped, which metrics leave out until then: {}", this, failure.getMessage());
            }
            unread = true;
        }
    }

    /** Returns what the table's rules dropped, as of the last listing. */
    Drops drops() {
        return uncounted || unread ? meter.total().unknown() : meter.total();
    }

    private static boolean lacksNfnetlink(KernelException failure) {
        return failure.errno() == Errno.EPROTONOSUPPORT;
    }

    private static FirewallException unreadable(KernelException failure) {
        return new FirewallException(
                failure.errno() == Errno.EPERM
                        ? failure.getMessage() + "; " + CommandRunner.CAPABILITY
                        : failure.getMessage(),
                failure);
    }

    /** Returns whether this object made the table with that content, and a listing shows that it is unchanged. */
    boolean isMadeOf(NftContent content, NftListing listing) {
        lock.lock();
        try {
            return reference.equals(Optional.of(new Reference(content, listing)));
        } finally {
            lock.unlock();
        }
    }

    /**
     * Makes the table in one transaction, unless it is unchanged since the last call. The first call of an object always
     * makes it.
     *
     * @return whether the table was missing or different
     * @throws FirewallException if nft cannot be run or the kernel lacks something
     */
    boolean restore(NftContent content) throws FirewallException {
        lock.lock();
        try {
            NftListing before = list();
            return !isMadeOf(content, before) && !before.equals(replace("set table " + this, content));
        } finally {
            lock.unlock();
        }
    }

    /**
     * Replaces the table in one transaction.
     *
     * @param what the step, for the exception
     * @return the new listing
     */
    NftListing replace(String what, NftContent content) throws FirewallException {
        lock.lock();
        try {
            NftContent made = make(what, content);
            NftListing after = list();
            if (after.size() != made.size()) {
                throw new FirewallException(what + ": another program changes table " + this + ", too");
            }
            reference = Optional.of(new Reference(content, after));
            return after;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Makes the table, without counters if the kernel refuses them: what the rules drop must not depend on what they count.
     *
     * @return what it was made of
     */
    private NftContent make(String what, NftContent content) throws FirewallException {
        NftContent plain = content.uncounted();
        if (!uncounted) {
            CommandRunner.Outcome outcome = runner.run(NFT, commands(content));
            if (outcome.done()) {
                return content;
            }
            if (outcome.notFound() || outcome.denied() || plain.equals(content) || !runner.run(NFT, commands(plain)).done()) {
                throw outcome.failed(what, remedy(outcome));
            }
            uncounted = true;
            log.warn("table {} drops without counting, and metrics leave its counters out: the kernel refuses named counters"
                    + " (modprobe -a nft_counter nft_objref)", this);
            return plain;
        }
        run(what, commands(plain));
        return plain;
    }

    private String commands(NftContent content) {
        return deletion() + "table %s {\n%s}\n".formatted(this, content.text());
    }

    /** Removes the table. It is no error if it is gone. */
    void remove(String what) throws FirewallException {
        lock.lock();
        try {
            if (!list().isEmpty()) {
                run(what, deletion());
            }
            reference = Optional.empty();
        } finally {
            lock.unlock();
        }
    }

    /** Returns commands that delete the table. They add it first, because deleting a missing table fails. */
    private String deletion() {
        return "table %1$s\ndelete table %1$s\n".formatted(this);
    }

    private void run(String what, String commands) throws FirewallException {
        CommandRunner.Outcome outcome = runner.run(NFT, commands);
        if (!outcome.done()) {
            throw outcome.failed(what, remedy(outcome));
        }
    }

    private String remedy(CommandRunner.Outcome outcome) throws FirewallException {
        if (outcome.notFound()) {
            return "install the nftables package";
        }
        return outcome.denied() ? CommandRunner.CAPABILITY : diagnosis.remedy();
    }

    @Override
    public String toString() {
        return family.word + " " + name;
    }

    @Override
    public void close() {
        lock.lock();
        try {
            socket.ifPresent(NetlinkSocket::close);
        } finally {
            lock.unlock();
        }
    }
}
