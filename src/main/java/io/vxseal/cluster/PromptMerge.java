package io.vxseal.cluster;

import java.util.ConcurrentModificationException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.jgroups.Address;
import org.jgroups.PhysicalAddress;
import org.jgroups.View;
import org.jgroups.ViewId;
import org.jgroups.conf.ClassConfigurator;
import org.jgroups.protocols.MERGE3;

/**
 * MERGE3 that does not wait for its next turn: told of another view of the group, a coordinator compares at once. With
 * the turns alone, two nodes that start together are apart for 1.6 of the longest interval. And it tells who was met, for
 * a merge takes a few more messages.
 */
final class PromptMerge extends MERGE3 {
    private static final short ID = 1602;
    /** Long enough for what the other groups' coordinators have to say to arrive together. */
    private static final long GATHER_MILLIS = 50;

    static {
        ClassConfigurator.addProtocol(ID, PromptMerge.class);
    }

    private final AtomicBoolean pending = new AtomicBoolean();

    private final Consumer<Address> met;

    /** @param met called with a member of another view, each time it speaks */
    PromptMerge(Consumer<Address> met) {
        setId(ID);
        this.met = met;
    }

    @Override
    protected void addInfo(Address sender, ViewId theirs, String name, PhysicalAddress address) {
        super.addInfo(sender, theirs, name, address);
        View ours = view;
        if (ours != null && !ours.containsMember(sender)) {
            met.accept(sender);
        }
        if (is_coord && ours != null && !ours.getViewId().equals(theirs) && pending.compareAndSet(false, true)) {
            compareSoon();
        }
    }

    private void compareSoon() {
        var _ = timer.schedule(() -> {
            pending.set(false);
            try {
                checkInconsistencies();
            } catch (ConcurrentModificationException another) {
                // MERGE3 goes through what it was told in a plain map, and more was told meanwhile.
                if (pending.compareAndSet(false, true)) {
                    compareSoon();
                }
            }
        }, GATHER_MILLIS, TimeUnit.MILLISECONDS);
    }
}
