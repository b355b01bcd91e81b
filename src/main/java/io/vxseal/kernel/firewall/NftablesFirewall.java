package io.vxseal.kernel.firewall;

import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A firewall by nft: a table of its own with a set of segments, for IPv4 and IPv6. Every change replaces the table in one
 * transaction, so no packet meets fewer rules than before.
 *
 * <p>nftables finds the UDP header as the kernel's stack does, behind any chain of IPv6 extension headers. It cannot match a
 * state's protocol and mode, so the reqid alone identifies our IPsec.
 *
 * <p>Over IPv6, fragments reach INPUT one by one. A first fragment without a complete UDP header cannot be classified; it is
 * dropped, whatever its port, as the kernel itself does since 5.11.
 */
final class NftablesFirewall implements Firewall, AutoCloseable {
    private static final NftFamily FAMILY = NftFamily.INET;
    private static final String TABLE = "vxseal";

    private final CommandRunner runner;
    private final NftTable table;

    /** Guards the table from reading it to the change that follows. Held over nft. */
    private final ReentrantLock lock = new ReentrantLock();

    NftablesFirewall(CommandRunner runner) {
        this.runner = runner;
        this.table = new NftTable(runner, FAMILY, TABLE, new NftablesDiagnosis(runner)::remedy);
    }

    /** Returns whether Docker's engine makes its rules by nftables: it has tables with this name, one for each IP. */
    boolean hasEngineRules() throws FirewallException {
        String name = "docker-bridges";
        return NftTable.exists(runner.namespace(), NftFamily.IP, name)
                || NftTable.exists(runner.namespace(), NftFamily.IP6, name);
    }

    @Override
    public void protect(Set<Segment> segments) throws FirewallException {
        lock.lock();
        try {
            NftListing before = table.list();
            Set<Segment> wanted = segments(before);
            wanted.addAll(segments);
            NftContent content = NftablesRules.of(wanted);
            if (!table.isMadeOf(content, before)) {
                table.replace("protect " + Segment.summary(segments), content);
            }
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void unprotect(Set<Segment> segments) throws FirewallException {
        lock.lock();
        try {
            Set<Segment> wanted = segments(table.list());
            if (wanted.removeAll(segments)) {
                String what = "unprotect " + Segment.summary(segments);
                if (wanted.isEmpty()) {
                    table.remove(what);
                } else {
                    table.replace(what, NftablesRules.of(wanted));
                }
            }
        } finally {
            lock.unlock();
        }
    }

    @Override
    public int restore(Set<Segment> segments) throws FirewallException {
        lock.lock();
        try {
            NftListing before = table.list();
            NftContent content = NftablesRules.of(segments);
            if (segments.isEmpty() ? before.isEmpty() : table.isMadeOf(content, before)) {
                return 0;
            }
            Set<Segment> found = segments(before);
            Set<Segment> wrong = new TreeSet<>(segments);
            wrong.addAll(found);
            String what = "restore the rules of " + Segment.summary(wrong);
            if (segments.isEmpty()) {
                table.remove(what);
                return wrong.size();
            }
            // An earlier process's table may have been right: only now is it known how the kernel lists a right one.
            NftListing after = table.replace(what, content);
            if (after.objects().equals(before.objects()) && NftablesRules.hasPortsOfItsSegments(before)) {
                wrong.removeIf(segment -> segments.contains(segment) && found.contains(segment));
            }
            return wrong.size();
        } finally {
            lock.unlock();
        }
    }

    @Override
    public InstalledRules installed() throws FirewallException {
        NftListing listing = table.list();
        return new InstalledRules(segments(listing), !listing.isEmpty(), true);
    }

    @Override
    public Drops drops() {
        return table.drops();
    }

    private Set<Segment> segments(NftListing listing) throws FirewallException {
        Set<Segment> segments = NftablesRules.segments(listing);
        if (NftablesRules.areOfVersion010(listing)) {
            CommandRunner.Outcome printed = runner.run(List.of("nft", "list", "table", FAMILY.word, TABLE));
            if (!printed.done()) {
                throw printed.failed("read table " + TABLE, "install the nftables package");
            }
            segments.addAll(NftablesRules.segmentsOfVersion010(listing, printed.output()));
        }
        return segments;
    }

    @Override
    public String toString() {
        return "nftables";
    }

    @Override
    public void close() {
        table.close();
    }
}
