package io.vxseal.cluster.ring;

import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.RingMark;
import io.vxseal.cluster.refusal.RefusedException;
import java.util.Optional;
import java.util.Set;

/** The ring of a node, as its sessions need it. */
public interface Rings {
    /** Returns which ring this node has. */
    RingMark mark();

    /** Returns the ring, if it is newer than this one. */
    Optional<Message.Ring> newerThan(RingMark theirs);

    /** Returns whether this is the ring that this node has, to the octet. */
    boolean has(byte[] octets);

    /** Returns whether this is a ring that this node had lately, to the octet. To refuse it costs nothing, as its signature is known. */
    boolean hadLately(byte[] octets);

    /**
     * Takes a ring that another node brought, unless this node has it or a newer one.
     *
     * @throws RefusedException if it is not by a manager of this swarm, or too far ahead
     */
    void take(byte[] octets) throws RefusedException;

    /**
     * Returns whether the ring of {@link #mark()} is to be replaced before its time. A node that receives a request passes it on from
     * then on, so the manager that makes the next ring receives it, whichever that is.
     */
    boolean isRotationRequested();

    /** Takes another node's request to replace this ring. If this node does not have the ring yet, the request comes again. */
    void onRotationRequest(RingMark ring);

    /** Returns the tags of the ring's keys that nodes have which are not of the swarm any more, if this node is a manager; empty if not. */
    Set<Integer> revoked();

    /** Revokes keys that another manager names, of this ring or of one that is yet to come. */
    void onRevocation(Set<Integer> tags);

    /** Revokes all keys of the ring: a node that has them left the swarm, or is no manager any more. */
    void onRemoval(String node);
}
