package io.vxseal.cluster.node;

import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.RingMark;
import io.vxseal.cluster.refusal.RefusalListener;
import io.vxseal.cluster.refusal.RefusedException;
import io.vxseal.cluster.ring.Rings;
import java.util.Optional;

/** Exchange of rings, and of requests to replace them, over this node's sessions with hubs. Pure, one thread. */
final class RingExchange {
    private final Rings rings;
    private final Uplinks uplinks;
    private final RefusalListener refusals;

    RingExchange(Rings rings, Uplinks uplinks, RefusalListener refusals) {
        this.rings = rings;
        this.uplinks = uplinks;
        this.refusals = refusals;
    }

    /** Opens a session: sends which ring this node has. */
    void sendHello(Uplink up) {
        up.send(Message.Hello.class, () -> Optional.of(new Message.Hello(rings.mark(), rings.isRotationRequested())));
    }

    /** Sends which ring this node has. */
    void sendHeartbeat(Uplink up) {
        up.send(Message.Heartbeat.class, () -> Optional.of(new Message.Heartbeat(rings.mark(), rings.isRotationRequested())));
    }

    /** Takes which ring a hub has, and sends it this node's if that is newer. */
    void received(Uplink up, RingMark ring, boolean rotate) {
        up.ring = ring;
        if (rotate) {
            rings.onRotationRequest(ring);
        }
        sendNewer(up);
        sendRevoked(up);
    }

    /** A manager that ends before a ring names the keys that it revoked would be the only one that knew. */
    private void sendRevoked(Uplink up) {
        if (!rings.revoked().isEmpty()) {
            up.send(Message.Revoked.class, () -> Optional.of(new Message.Revoked(rings.revoked())));
        }
    }

    private void sendNewer(Uplink up) {
        if (rings.mark().compareTo(up.ring) > 0) {
            up.send(Message.Ring.class, () -> rings.newerThan(up.ring));
        }
    }

    /** Takes a ring that a hub sent. */
    void take(Uplink up, byte[] octets) {
        try {
            rings.take(octets);
        } catch (RefusedException e) {
            refusals.refused(e, up.hub());
        }
    }

    /** Reports to the hubs that the ring changed, or that it should be replaced. */
    void changed() {
        for (Uplink up : uplinks.all()) {
            sendHeartbeat(up);
            sendNewer(up);
            sendRevoked(up);
        }
    }
}
