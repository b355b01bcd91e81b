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
    /** The hub whose ring is being taken. */
    private Optional<Uplink> sender = Optional.empty();

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
    }

    private void sendNewer(Uplink up) {
        if (rings.mark().compareTo(up.ring) > 0) {
            up.send(Message.Ring.class, () -> rings.newerThan(up.ring));
        }
    }

    /** Takes a ring that a hub sent. It is not sent back to that hub. */
    void take(Uplink up, byte[] octets) {
        RingMark before = rings.mark();
        sender = Optional.of(up);
        try {
            rings.take(octets);
        } catch (RefusedException e) {
            refusals.refused(e, up.hub());
        } finally {
            sender = Optional.empty();
        }
        if (!rings.mark().equals(before)) {
            up.ring = rings.mark();
        }
    }

    /** Reports to the hubs that the ring changed, or that it should be replaced. */
    void changed() {
        for (Uplink up : uplinks.all()) {
            sendHeartbeat(up);
            if (!sender.equals(Optional.of(up))) {
                sendNewer(up);
            }
        }
    }
}
