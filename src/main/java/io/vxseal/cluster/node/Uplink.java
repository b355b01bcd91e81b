package io.vxseal.cluster.node;

import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.MessageChannel;
import io.vxseal.cluster.message.RingMark;
import io.vxseal.cluster.record.RecordMark;
import java.net.InetAddress;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/** This node's session with one hub, and what has yet to be sent to the hub. A kind of message that waits is made when it is sent. */
final class Uplink {
    final MessageChannel channel;
    /** Address at which the hub was dialled; empty for this process's own. */
    final Optional<InetAddress> address;
    /** Set if what the hub sends goes to this process's hub, not to the directory. */
    final boolean feedsHub;
    final long opened;
    boolean welcomed;
    RingMark ring = RingMark.NONE;
    long incarnation;
    long revision;
    boolean goodbyeHeard;
    /** The held records that the hub was asked about. */
    List<RecordMark> held = List.of();
    private final Map<Class<? extends Message>, Supplier<Optional<? extends Message>>> waiting = new LinkedHashMap<>();
    private boolean blocked;

    Uplink(MessageChannel channel, Optional<InetAddress> address, boolean feedsHub, long opened) {
        this.channel = channel;
        this.address = address;
        this.feedsHub = feedsHub;
        this.opened = opened;
    }

    String hub() {
        return channel.peer().node();
    }

    /** Sends a message of this kind as soon as the queue has room; one that waits already is enough. */
    <T extends Message> void send(Class<T> kind, Supplier<Optional<T>> message) {
        waiting.put(kind, message::get);
        flush();
    }

    void drained() {
        blocked = false;
        flush();
    }

    private void flush() {
        while (!blocked && !waiting.isEmpty()) {
            Map.Entry<Class<? extends Message>, Supplier<Optional<? extends Message>>> first = waiting.entrySet().iterator().next();
            Optional<? extends Message> message = first.getValue().get();
            if (message.isPresent() && !channel.send(message.get())) {
                blocked = true;
            } else {
                waiting.remove(first.getKey());
            }
        }
    }
}
