package io.vxseal.cluster.link;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.swarm.Role;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.BooleanSupplier;

/** Listener that records what it is told. */
class Recorder implements ConnectionListener {
    final List<Connection> open = new CopyOnWriteArrayList<>();
    final List<String> events = new CopyOnWriteArrayList<>();
    /** Of all that were opened, in order. */
    final List<Role> roles = new CopyOnWriteArrayList<>();

    @Override
    public void opened(Connection connection) {
        open.add(connection);
        roles.add(connection.peer().role());
        events.add("opened " + connection.peer().node());
    }

    @Override
    public void received(Connection connection, byte[] message) {
        events.add(message.length > 100
                ? "received " + message.length
                : "received " + new String(message, StandardCharsets.UTF_8));
    }

    @Override
    public void drained(Connection connection) {
        events.add("drained " + connection.peer().node());
    }

    @Override
    public void closed(Connection connection, String reason) {
        open.remove(connection);
        events.add("closed " + connection.peer().node() + ": " + reason);
    }

    void await(String event) {
        await(event, () -> events.stream().anyMatch(e -> e.contains(event)));
    }

    void await(String what, BooleanSupplier condition) {
        long end = System.nanoTime() + Duration.ofSeconds(20).toNanos();
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as("%s; so far: %s", what, events).isLessThan(end);
            try {
                Thread.sleep(2);
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }
    }
}
