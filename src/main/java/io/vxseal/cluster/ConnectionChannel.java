package io.vxseal.cluster;

import io.vxseal.cluster.link.Connection;
import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.MessageChannel;
import io.vxseal.cluster.message.MessageEncoder;
import io.vxseal.swarm.NodeName;
import java.time.Duration;
import java.util.Optional;

/**
 * Messages over a session. Two channels are equal if they are over the same session.
 *
 * @param encoder of all sessions of the process
 */
record ConnectionChannel(Connection connection, MessageEncoder encoder) implements MessageChannel {
    @Override
    public NodeName peer() {
        return connection.peer();
    }

    @Override
    public boolean send(Message message) {
        return connection.send(encoder.encode(message));
    }

    @Override
    public void close(String reason) {
        connection.close(reason);
    }

    @Override
    public long lastReceived() {
        return connection.lastReceived();
    }

    @Override
    public Optional<Duration> clockAhead() {
        return connection.clockAhead();
    }
}
