package io.vxseal.cluster.ring;

import io.vxseal.cluster.message.RingMark;
import io.vxseal.cluster.refusal.Refusal;
import io.vxseal.cluster.refusal.RefusedException;
import io.vxseal.encryption.KeyRing;
import io.vxseal.swarm.NodeName;
import io.vxseal.swarm.Role;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** Signatures that cost nothing: a ring's octets are a number in the list of all that were signed, which nobody can forge. */
public record SimulatedTrust(NodeName self, List<SignedRing> signatures) implements RingTrust {
    /** Long after a simulation ends. */
    private static final Instant UNTIL = Instant.parse("2100-01-01T00:00:00Z");

    /** A list for one simulation. */
    public static List<SignedRing> none() {
        return new ArrayList<>();
    }

    @Override
    public Instant until() {
        return UNTIL;
    }

    @Override
    public SignedRing sign(long version, Instant made, boolean external, KeyRing keys, Set<Integer> revoked) {
        if (self.role() != Role.MANAGER) {
            throw new IllegalArgumentException("a worker signs no rings");
        }
        byte[] octets = ByteBuffer.allocate(4).putInt(signatures.size()).array();
        SignedRing ring = new SignedRing(new RingMark(version, self.node(), made.toEpochMilli()), keys, revoked, external, UNTIL, octets);
        signatures.add(ring);
        return ring;
    }

    @Override
    public SignedRing open(byte[] octets) throws RefusedException {
        int number = octets.length == 4 ? ByteBuffer.wrap(octets).getInt() : -1;
        if (number < 0 || number >= signatures.size()) {
            throw new RefusedException(Refusal.RING_SIGNATURE, "ring with a bad signature");
        }
        return signatures.get(number);
    }
}
