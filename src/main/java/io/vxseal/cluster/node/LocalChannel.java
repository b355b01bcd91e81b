package io.vxseal.cluster.node;

import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.MessageChannel;
import io.vxseal.cluster.message.Timer;
import io.vxseal.swarm.NodeName;
import java.time.Duration;
import java.util.Objects;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/** One end of the session between a manager's node and the hub of the same process. */
public final class LocalChannel implements MessageChannel {
    private final NodeName name;
    private final Timer timer;
    private final BiConsumer<MessageChannel, Message> deliver;
    private @Nullable LocalChannel other;
    private boolean closed;

    private LocalChannel(NodeName name, Timer timer, BiConsumer<MessageChannel, Message> deliver) {
        this.name = name;
        this.timer = timer;
        this.deliver = deliver;
    }

    /**
     * Makes both ends.
     *
     * @param toHub takes what the node sends, with the hub's end
     * @param toNode takes what the hub sends, with the node's end
     * @return the node's end
     */
    public static LocalChannel pair(
            NodeName name, Timer timer, BiConsumer<MessageChannel, Message> toHub, BiConsumer<MessageChannel, Message> toNode) {
        LocalChannel node = new LocalChannel(name, timer, toNode);
        LocalChannel hub = new LocalChannel(name, timer, toHub);
        node.other = hub;
        hub.other = node;
        return node;
    }

    /** Returns the other end. */
    public LocalChannel other() {
        return Objects.requireNonNull(other, "a pair is made whole");
    }

    @Override
    public NodeName peer() {
        return name;
    }

    @Override
    public boolean send(Message message) {
        // Later, so that neither is called while it calls.
        timer.after(Duration.ZERO, () -> {
            if (!closed && !other().closed) {
                other().deliver.accept(other(), message);
            }
        });
        return true;
    }

    @Override
    public void close(String reason) {
        closed = true;
    }

    @Override
    public long lastReceived() {
        return timer.nanoTime();
    }
}
