package io.vxseal.cluster.message;

import io.vxseal.swarm.NodeName;
import io.vxseal.swarm.Role;
import java.util.ArrayList;
import java.util.List;

/** A session's end that keeps what was sent, with room for as many messages as a test says. */
public final class RecordedChannel implements MessageChannel {
    private final NodeName peer;
    private final Timer timer;
    private List<Message> sent = new ArrayList<>();
    public int room = Integer.MAX_VALUE;
    public boolean closed;
    public String reason = "";

    public RecordedChannel(String peer, Role role, Timer timer) {
        this.peer = new NodeName("swarm", role, peer);
        this.timer = timer;
    }

    @Override
    public NodeName peer() {
        return peer;
    }

    @Override
    public boolean send(Message message) {
        if (room == 0) {
            return false;
        }
        room--;
        sent.add(message);
        return true;
    }

    /** Returns what was sent since the last call. */
    public List<Message> take() {
        List<Message> taken = sent;
        sent = new ArrayList<>();
        return taken;
    }

    /** Returns the messages of one kind that were sent since the last call, and drops the others. */
    public <T extends Message> List<T> take(Class<T> kind) {
        return take().stream().filter(kind::isInstance).map(kind::cast).toList();
    }

    @Override
    public void close(String why) {
        closed = true;
        reason = why;
    }

    @Override
    public long lastReceived() {
        return timer.nanoTime();
    }
}
