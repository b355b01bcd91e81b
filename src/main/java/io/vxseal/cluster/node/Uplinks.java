package io.vxseal.cluster.node;

import io.vxseal.cluster.message.MessageChannel;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;

/** This node's sessions with hubs, one per hub. Pure, one thread. */
final class Uplinks {
    private final Map<String, Uplink> byHub = new LinkedHashMap<>();

    /** Adds a session, and returns the one with the same hub that it replaces. */
    Optional<Uplink> add(Uplink up) {
        return Optional.ofNullable(byHub.put(up.hub(), up));
    }

    /** Removes a session. */
    void remove(Uplink up) {
        byHub.remove(up.hub(), up);
    }

    /** Returns the session over a channel; empty if another one replaced it. */
    Optional<Uplink> over(MessageChannel channel) {
        return Optional.ofNullable(byHub.get(channel.peer().node())).filter(up -> up.channel.equals(channel));
    }

    Collection<Uplink> all() {
        return byHub.values();
    }

    /** Returns the sessions with hubs of other processes. */
    List<Uplink> remote() {
        return byHub.values().stream().filter(up -> up.address.isPresent()).toList();
    }

    /** Returns whether there is a session with a hub of this process. */
    boolean hasOwnHub() {
        return byHub.values().stream().anyMatch(up -> up.address.isEmpty());
    }

    /** Closes the sessions with some hubs. */
    void close(Predicate<Uplink> which, String reason) {
        List.copyOf(byHub.values()).stream().filter(which).forEach(up -> up.channel.close(reason));
    }

    /** Returns when hubs of other processes last gave a sign of life. */
    Map<String, Long> lastReceived() {
        Map<String, Long> times = new HashMap<>();
        remote().forEach(up -> times.put(up.hub(), up.channel.lastReceived()));
        return times;
    }
}
