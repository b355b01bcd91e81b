package io.vxseal.cluster;

import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.MessageChannel;
import io.vxseal.cluster.message.MessageCodec;
import io.vxseal.cluster.refusal.RefusedException;
import io.vxseal.swarm.NodeName;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.PriorityQueue;
import java.util.Random;
import java.util.Set;

/**
 * Virtual time, and a network that delays. Messages of one session arrive once and in order, as TCP and TLS have it; those of several
 * arrive in any. So what reaches a node twice, or in another order, came by two hubs, which all records and rings do. A cut loses what is
 * under way, and with it the session, which both ends notice some time later.
 */
final class VirtualNetwork {
    /** The longest time until a silent session is closed. */
    private static final long SILENT = Duration.ofSeconds(16).toNanos();
    private static final long KEEP_ALIVE = Duration.ofSeconds(5).toNanos();
    private static final int QUEUE = 6;

    final Random random;
    /** Whether messages go through the codec. */
    private final boolean encoding;
    private final PriorityQueue<Task> tasks = new PriorityQueue<>();
    private final Set<Session> sessions = new LinkedHashSet<>();
    /** Sessions that broke without a word, which the client has yet to notice. */
    private final Set<Session> unnoticed = new LinkedHashSet<>();
    private final Set<Set<String>> cuts = new HashSet<>();
    private long now;
    private long order;
    /** Of all deliveries so far. */
    private long digest;

    private record Task(long when, long order, Runnable run) implements Comparable<Task> {
        @Override
        public int compareTo(Task other) {
            return when != other.when ? Long.compare(when, other.when) : Long.compare(order, other.order);
        }
    }

    /** What a process hears of its end of a session. */
    interface End {
        void received(MessageChannel channel, Message message);

        void drained(MessageChannel channel);

        void closed(MessageChannel channel);

        boolean isAlive();
    }

    VirtualNetwork(Random random, boolean encoding) {
        this.random = random;
        this.encoding = encoding;
    }

    long now() {
        return now;
    }

    /** Returns a number of when which kind of message came to whom from whom, in order. */
    long digest() {
        return digest;
    }

    void at(long when, Runnable run) {
        tasks.add(new Task(Math.max(when, now), order++, run));
    }

    void after(Duration delay, Runnable run) {
        at(now + delay.toNanos(), run);
    }

    /** Runs all that is due by then. */
    void runUntil(long end) {
        while (!tasks.isEmpty() && tasks.peek().when <= end) {
            Task task = tasks.remove();
            now = task.when;
            task.run.run();
        }
        now = end;
    }

    // ---- cuts

    private static Set<String> pair(String a, String b) {
        return Set.of(a, b);
    }

    boolean isCut(String a, String b) {
        return !a.equals(b) && cuts.contains(pair(a, b));
    }

    /** Returns whether a session of these two stands, and both ends would hear of each other. */
    boolean isConnected(String a, String b) {
        return a.equals(b) || sessions.stream().anyMatch(session -> session.isBetween(a, b));
    }

    /** Returns whether a client takes a session with a hub for one that stands, although it broke. */
    boolean hasUnnoticedBreak(String client, String hub) {
        return unnoticed.stream().anyMatch(session -> session.client.self.node().equals(client) && session.hub.self.node().equals(hub));
    }

    void cut(String a, String b) {
        if (!a.equals(b) && cuts.add(pair(a, b))) {
            for (Session session : List.copyOf(sessions)) {
                if (session.isBetween(a, b)) {
                    session.breakUp(SILENT);
                }
            }
        }
    }

    void mend(String a, String b) {
        if (!a.equals(b)) {
            cuts.remove(pair(a, b));
        }
    }

    void mendAll() {
        cuts.clear();
    }

    /** The host has no power: its ends of sessions are gone without a word. */
    void silence(String node) {
        for (Session session : List.copyOf(sessions)) {
            if (session.isOf(node)) {
                session.breakUp(SILENT);
            }
        }
    }

    /** The process is gone: the kernel closes its sockets. */
    void reset(String node) {
        for (Session session : List.copyOf(sessions)) {
            if (session.isOf(node)) {
                session.breakUp(Duration.ofMillis(50).toNanos());
            }
        }
    }

    // ---- sessions

    private long delay() {
        int kind = random.nextInt(20);
        int micros = kind == 0 ? random.nextInt(500_000) : kind < 4 ? random.nextInt(50_000) : 200 + random.nextInt(2000);
        return micros * 1000L;
    }

    long roundTrip() {
        return delay() + delay();
    }

    /** Opens a session; the client's channel first. */
    List<MessageChannel> open(NodeName client, End clientEnd, NodeName hub, End hubEnd) {
        Session session = new Session(client, clientEnd, hub, hubEnd);
        sessions.add(session);
        return List.of(session.client, session.hub);
    }

    private final class Session {
        final Channel client;
        final Channel hub;
        boolean broken;

        Session(NodeName client, End clientEnd, NodeName hub, End hubEnd) {
            this.client = new Channel(this, client, hub, clientEnd);
            this.hub = new Channel(this, hub, client, hubEnd);
        }

        boolean isOf(String node) {
            return client.self.node().equals(node) || hub.self.node().equals(node);
        }

        boolean isBetween(String a, String b) {
            return isOf(a) && isOf(b);
        }

        void breakUp(long longest) {
            if (broken) {
                return;
            }
            broken = true;
            sessions.remove(this);
            unnoticed.add(this);
            for (Channel end : List.of(client, hub)) {
                end.lastReceived = end.lastReceived();
                end.frozen = true;
                at(now + (long) (random.nextDouble() * longest), end::tellClosed);
            }
        }

        Channel other(Channel end) {
            return end == client ? hub : client;
        }
    }

    private final class Channel implements MessageChannel {
        private final Session session;
        private final NodeName self;
        private final NodeName peer;
        private final End end;
        private final Deque<Message> underWay = new ArrayDeque<>();
        private long arrival;
        private long lastReceived = now;
        private boolean frozen;
        private boolean full;
        private boolean closed;

        Channel(Session session, NodeName self, NodeName peer, End end) {
            this.session = session;
            this.self = self;
            this.peer = peer;
            this.end = end;
        }

        @Override
        public NodeName peer() {
            return peer;
        }

        @Override
        public boolean send(Message message) {
            if (closed) {
                return true;
            }
            if (underWay.size() >= QUEUE) {
                full = true;
                return false;
            }
            underWay.add(message);
            arrival = Math.max(arrival, now + delay());
            at(arrival, () -> arrive(message));
            return true;
        }

        private void arrive(Message message) {
            underWay.remove();
            Channel other = session.other(this);
            if (session.broken || closed || other.closed || !other.end.isAlive()) {
                return;
            }
            other.lastReceived = now;
            digest = digest * 31 + Objects.hash(now, self.node(), peer.node(), message.getClass().getSimpleName());
            other.end.received(other, encoding ? code(message) : message);
            if (full && underWay.size() <= QUEUE / 2 && end.isAlive() && !closed) {
                full = false;
                end.drained(this);
            }
        }

        private static Message code(Message message) {
            try {
                return MessageCodec.decode(MessageCodec.encode(message)).orElseThrow();
            } catch (RefusedException e) {
                throw new AssertionError(e);
            }
        }

        private void tellClosed() {
            if (!closed) {
                closed = true;
                if (this == session.client) {
                    unnoticed.remove(session);
                }
                if (end.isAlive()) {
                    end.closed(this);
                }
            }
        }

        @Override
        public void close(String reason) {
            if (!session.broken) {
                session.broken = true;
                sessions.remove(session);
                Channel other = session.other(this);
                at(Math.max(arrival, now + delay()), other::tellClosed);
            }
            at(now, this::tellClosed);
        }

        @Override
        public long lastReceived() {
            return frozen ? lastReceived : Math.max(lastReceived, now - now % KEEP_ALIVE);
        }
    }

    /** Returns the sessions that stand. */
    int sessions() {
        return sessions.size();
    }

    List<String> describe() {
        List<String> all = new ArrayList<>();
        sessions.forEach(session -> all.add(session.client.self.node() + " - " + session.hub.self.node()));
        return all;
    }
}
