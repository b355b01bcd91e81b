package io.vxseal.cluster.hub;

import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.RingMark;
import io.vxseal.cluster.refusal.RefusedException;
import io.vxseal.cluster.ring.Rings;
import java.util.Optional;
import java.util.Set;

/** A ring of which only the mark counts, and that nobody replaces or asks to replace, unless a test says otherwise. */
abstract class RingsWithoutKeys implements Rings {
    static final RingMark MARK = new RingMark(3, "m1", 9);

    @Override
    public final RingMark mark() {
        return MARK;
    }

    @Override
    public final Optional<Message.Ring> newerThan(RingMark theirs) {
        return MARK.compareTo(theirs) > 0 ? Optional.of(new Message.Ring(new byte[] {3})) : Optional.empty();
    }

    @Override
    public final boolean has(byte[] octets) {
        return false;
    }

    @Override
    public boolean hadLately(byte[] octets) {
        return false;
    }

    @Override
    public final boolean isRotationRequested() {
        return false;
    }

    @Override
    public Set<Integer> revoked() {
        return Set.of();
    }

    @Override
    public void onRevocation(Set<Integer> tags) {
        throw new AssertionError("no key is revoked");
    }

    @Override
    public void take(byte[] octets) throws RefusedException {
        throw new AssertionError("no ring is brought");
    }

    @Override
    public void onRotationRequest(RingMark ring) {
        throw new AssertionError("no rotation is requested");
    }
}
