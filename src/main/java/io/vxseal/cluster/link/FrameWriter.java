package io.vxseal.cluster.link;

import java.nio.ByteBuffer;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.util.IteratingCallback;
import org.jspecify.annotations.Nullable;

/** Writer of one session's frames, one write at a time: messages that are queued, keep-alives, and the reason of the end. */
final class FrameWriter extends IteratingCallback {
    private static final int MAX_QUEUED_OCTETS = 1 << 20;
    private static final int MAX_QUEUED_MESSAGES = 256;

    private final Content.Sink out;
    private final MemoryBudget budget;
    private final Events events;
    private final Object lock = new Object();

    /** Guarded by {@link #lock}. */
    private final OutgoingQueue queue;

    /** Guarded by {@link #lock}. */
    private boolean keepAliveDue;

    /** Reason of the end; null before it. Guarded by {@link #lock}. */
    private @Nullable String reason;

    /** Whether the reason has yet to be written. Guarded by {@link #lock}. */
    private boolean closeFrameDue;

    private volatile long writtenAt = System.nanoTime();
    private volatile boolean writing;

    /** What happens to a writer. */
    interface Events {
        /** The queue has room again after it refused a message. */
        void drained();

        /** The last frame has been written. */
        void closed();

        /** A write failed. */
        void failed(Throwable failure);
    }

    FrameWriter(Content.Sink out, MemoryBudget budget, Events events) {
        this.out = out;
        this.budget = budget;
        this.events = events;
        this.queue = new OutgoingQueue(MAX_QUEUED_OCTETS, MAX_QUEUED_MESSAGES, budget);
    }

    /** Queues a message, as {@link Connection#send}. */
    boolean send(byte[] message) {
        if (message.length > Messages.MAX_OCTETS) {
            throw new IllegalArgumentException(
                    "message of %d octets, at most %d".formatted(message.length, Messages.MAX_OCTETS));
        }
        synchronized (lock) {
            if (reason != null) {
                return false;
            }
            if (!queue.offer(message)) {
                if (queue.isEmpty()) {
                    budget.callWhenFree(events::drained);
                }
                return false;
            }
        }
        iterate();
        return true;
    }

    /** Sends a keep-alive, unless messages are sent anyway. */
    void keepAlive() {
        synchronized (lock) {
            keepAliveDue = true;
        }
        iterate();
    }

    /**
     * Drops what is queued. No message is sent any more.
     *
     * @param withReason whether the peer gets the reason, once {@link #iterate} is called
     */
    void end(String why, boolean withReason) {
        synchronized (lock) {
            reason = why;
            closeFrameDue = queue.clear() && withReason;
        }
    }

    /** Returns whether a write has begun that the connection has not taken yet. */
    boolean isWriting() {
        return writing;
    }

    /** Returns when the last write began. */
    long writtenAt() {
        return writtenAt;
    }

    @Override
    protected Action process() {
        ByteBuffer next;
        boolean drained;
        synchronized (lock) {
            if (reason != null) {
                if (!closeFrameDue) {
                    return Action.SUCCEEDED;
                }
                closeFrameDue = false;
                next = Frame.close(reason);
                drained = false;
            } else {
                next = queue.next();
                drained = queue.takeDrained();
                if (next == null && keepAliveDue) {
                    next = Frame.keepAlive(System.currentTimeMillis());
                }
                keepAliveDue = false;
            }
        }
        if (drained) {
            events.drained();
        }
        if (next == null) {
            writing = false;
            return Action.IDLE;
        }
        writtenAt = System.nanoTime();
        writing = true;
        out.write(false, next, this);
        return Action.SCHEDULED;
    }

    @Override
    protected void onCompleteSuccess() {
        events.closed();
    }

    @Override
    protected void onCompleteFailure(Throwable failure) {
        events.failed(failure);
    }
}
