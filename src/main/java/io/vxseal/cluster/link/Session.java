package io.vxseal.cluster.link;

import io.vxseal.cluster.refusal.Refusal;
import io.vxseal.cluster.refusal.RefusalListener;
import io.vxseal.cluster.refusal.RefusedException;
import io.vxseal.swarm.NodeName;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.util.thread.SerializedInvoker;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One full-duplex HTTP exchange: frames in the request's body one way, in the response's the other. The same class serves
 * both ends. Every call of the listener, and all reading, runs through one {@link SerializedInvoker}; a {@link FrameWriter} writes.
 */
final class Session implements Connection {
    private static final Logger log = LoggerFactory.getLogger(Session.class);

    /** How long the peer has to take the reason before the connection is cut. */
    private static final long CLOSE_MILLIS = 1_000;

    private final PeerVerifier.Peer peer;
    private final Exchange exchange;
    private final Context context;
    private final FrameReader reader;

    private final SerializedInvoker invoker = new SerializedInvoker(Session.class);
    private final FrameWriter writer;
    private final HeldMessages held;
    private final Object lock = new Object();

    /** Why the session ended; null while it lasts. Written under {@link #lock}. */
    private volatile @Nullable String ended;

    private volatile long receivedAt;

    /** When the last whole frame arrived. */
    private volatile long frameAt;
    private volatile boolean paused;

    /** By how much the peer's wall clock was ahead of ours when it last sent its time. */
    private volatile Optional<Duration> clockAhead = Optional.empty();

    /** Confined to {@link #invoker}. */
    private boolean closed;

    /**
     * The HTTP exchange beneath a session.
     *
     * @param in body that arrives
     * @param out body that is sent
     * @param cut closes the connection; may be called more than once
     */
    record Exchange(Content.Source in, Content.Sink out, Runnable cut) {}

    /**
     * What the sessions of a hub or client have in common.
     *
     * @param incoming octets of incomplete messages, and of those that wait for the listener
     * @param outgoing octets of queued messages
     */
    record Context(
            LinkThreads threads,
            LinkTimes times,
            ConnectionListener listener,
            RefusalListener refusals,
            MemoryBudget incoming,
            MemoryBudget outgoing) {}

    /** How fast a session's frames are read. */
    interface Pace {
        /** Frames are read as they come. */
        Pace UNLIMITED = (_, _) -> 0;

        /** Counts a frame and returns the nanoseconds to wait before reading on. */
        long frame(int octets, long now);
    }

    private final Pace pace;

    Session(PeerVerifier.Peer peer, Exchange exchange, Context context, Pace pace) {
        this.peer = peer;
        this.exchange = exchange;
        this.context = context;
        this.pace = pace;
        this.held = new HeldMessages(context.incoming());
        this.reader = new FrameReader(Messages.MAX_OCTETS, context.incoming());
        this.writer = new FrameWriter(exchange.out(), context.outgoing(), new WriterEvents());
        this.receivedAt = System.nanoTime();
        this.frameAt = receivedAt;
    }

    private final class WriterEvents implements FrameWriter.Events {
        @Override
        public void drained() {
            later(() -> {
                if (ended == null) {
                    context.listener().drained(Session.this);
                }
            });
        }

        @Override
        public void closed() {
            exchange.cut().run();
        }

        @Override
        public void failed(Throwable failure) {
            lost(failure);
            exchange.cut().run();
        }
    }

    /** Reports the session to the listener, sends the first frame and begins to read. */
    void start() {
        invoker.run(() -> {
            if (ended == null) {
                context.listener().opened(this);
            } else {
                closed = true; // Ended before it began: the listener is not called at all.
            }
            writer.keepAlive();
            read();
        });
    }

    /** Runs a task after the listener was called for the end of this session, which must have ended. */
    void afterClose(Runnable task) {
        later(task);
    }

    PeerVerifier.Peer verified() {
        return peer;
    }

    @Override
    public boolean hasEnded() {
        return ended != null;
    }

    @Override
    public NodeName peer() {
        return peer.name();
    }

    @Override
    public long lastReceived() {
        return receivedAt;
    }

    @Override
    public Optional<Duration> clockAhead() {
        return clockAhead;
    }

    @Override
    public boolean send(byte[] message) {
        return writer.send(message);
    }

    @Override
    public void hold(int octets) {
        held.hold(octets);
    }

    @Override
    public void release(int octets) {
        if (held.release(octets)) {
            later(this::readOn);
        }
    }

    @Override
    public void close(String reason) {
        end(reason, true);
    }

    /** Sends a keep-alive if one is due, and closes the session if the peer has been silent for too long. */
    void tick(long now) {
        if (now - frameAt > context.times().silence().toNanos() && !paused) {
            reject(new RefusedException(Refusal.SILENCE, "nothing whole for " + context.times().silence().toSeconds() + " s"));
        } else if (writer.isWriting() && now - writer.writtenAt() >= context.times().stalled().toNanos()) {
            reject(new RefusedException(Refusal.STALLED, "nothing taken for " + context.times().stalled().toSeconds() + " s"));
        } else if (now - writer.writtenAt() >= context.times().keepAlive().toNanos()) {
            writer.keepAlive();
        }
    }

    /** Closes the session and counts the reason. */
    void reject(RefusedException refused) {
        if (end(refused.reason().text() + ": " + refused.getMessage(), true)) {
            context.refusals().refused(refused, peer.name().node());
        }
    }

    /** Runs a task in order with the others, on a thread of the pool: callers may hold locks of their own. */
    private void later(Runnable task) {
        Runnable todo = invoker.offer(task);
        if (todo != null) {
            context.threads().pool().execute(todo);
        }
    }

    /** Returns whether this call ended the session. */
    private boolean end(String reason, boolean withReason) {
        Runnable todo;
        synchronized (lock) {
            if (ended != null) {
                return false;
            }
            ended = reason;
            writer.end(reason, withReason);
            todo = invoker.offer(() -> reportEnd(reason));
        }
        if (todo != null) {
            context.threads().pool().execute(todo);
        }
        if (withReason) {
            context.threads().scheduler().schedule(exchange.cut(), CLOSE_MILLIS, TimeUnit.MILLISECONDS);
            writer.iterate();
        } else {
            exchange.cut().run();
        }
        return true;
    }

    private void reportEnd(String reason) {
        reader.release();
        if (!closed) {
            closed = true;
            context.listener().closed(this, reason);
        }
    }

    private void lost(Throwable failure) {
        end("connection lost: " + failure.getMessage(), false);
    }

    /** Reads until nothing is left, the listener holds too much, or the pace wants a pause. Runs in {@link #invoker}. */
    private void read() {
        try {
            while (ended == null && !waitsForRelease()) {
                Content.Chunk chunk = exchange.in().read();
                if (chunk == null) {
                    exchange.in().demand(() -> invoker.run(this::read));
                    return;
                }
                if (Content.Chunk.isFailure(chunk)) {
                    lost(chunk.getFailure());
                    return;
                }
                long pause = take(chunk);
                if (pause > 0) {
                    pause(pause);
                    return;
                }
            }
        } catch (RefusedException refused) {
            reject(refused);
        } catch (Throwable failure) {
            log.error("unexpected error in the session with {}, closing it", peer.name().node(), failure);
            end("internal error", true);
        }
    }

    /** Returns whether reading has to wait; if so, {@link #release} goes on. */
    private boolean waitsForRelease() {
        paused = held.mustWait();
        return paused;
    }

    /** Hands on the frames in a chunk and returns the nanoseconds to wait. */
    private long take(Content.Chunk chunk) throws RefusedException {
        long[] pause = {0};
        receivedAt = System.nanoTime();
        try {
            reader.read(chunk.getByteBuffer(), (type, octets, payload) -> {
                long now = System.nanoTime();
                frameAt = now;
                pause[0] = pace.frame(octets, now);
                if (ended == null) {
                    deliver(type, payload);
                }
            });
        } finally {
            chunk.release();
        }
        if (chunk.isLast()) {
            end("closed by the peer", false);
        }
        return pause[0];
    }

    private void deliver(int type, byte[] payload) {
        switch (type) {
            case Frame.MESSAGE -> context.listener().received(this, payload);
            case Frame.CLOSE -> end("closed by the peer: " + Frame.reason(payload), false);
            case Frame.CLOCK -> Frame.wallClock(payload).ifPresent(wall ->
                    clockAhead = Optional.of(Duration.ofMillis(wall).minusMillis(System.currentTimeMillis())));
            default -> { } // A keep-alive, of which frameAt is all there is to keep, or a type of a later version.
        }
    }

    private void pause(long nanos) {
        paused = true;
        context.threads().scheduler().schedule(() -> later(this::readOn), nanos, TimeUnit.NANOSECONDS);
    }

    private void readOn() {
        frameAt = System.nanoTime();
        paused = false;
        read();
    }
}
