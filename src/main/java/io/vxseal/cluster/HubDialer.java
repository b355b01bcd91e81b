package io.vxseal.cluster;

import io.vxseal.cluster.message.MessageChannel;
import io.vxseal.cluster.message.Timer;
import io.vxseal.cluster.node.HubSelection;
import java.net.InetAddress;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;

/**
 * Dialling of hubs: keeps as many sessions as there should be. Pure, one thread.
 *
 * <p>A worker begins with one session, as any hub sends all records. The others follow the more slowly the longer the last took: where a whole
 * swarm starts at once, every node has a first session before the hubs are busy with second ones.
 */
final class HubDialer {
    /** Before the next attempt anywhere: several sessions may end at once. */
    private static final Duration PAUSE = Duration.ofMillis(50);

    /** Times the duration of the last attempt that a worker waits before its next session. */
    private static final int SPACING = 10;
    private static final Duration MAX_SPACING = Duration.ofSeconds(30);

    /**
     * Time after which a worker dials another hub beside one that hangs; twice as long with two that hang, and so on: where a whole swarm starts
     * at once, more attempts make all slower. Shorter than a Join waits for keys.
     */
    static final Duration STALLED = Duration.ofSeconds(6);

    /**
     * Time without a sign of life after which a session counts for nothing, though it may yet go on. Longer than the interval of keep-alives,
     * shorter than the time after which the session is closed and than a Join waits.
     */
    static final Duration SILENT = Duration.ofSeconds(6);

    private final Timer timer;
    private final HubSelection selection;
    private final Consumer<InetAddress> connect;
    private final Runnable again;
    private long nextSession;

    /**
     * Dials nothing yet.
     *
     * @param connect connects to a hub
     * @param again dials again, some time after an attempt failed or a session ended
     */
    HubDialer(Timer timer, RandomGenerator random, Consumer<InetAddress> connect, Runnable again) {
        this.timer = timer;
        this.selection = new HubSelection(random);
        this.connect = connect;
        this.again = again;
        this.nextSession = timer.nanoTime();
    }

    /** Replaces the addresses of the hubs. */
    void listed(Set<InetAddress> addresses) {
        selection.listed(addresses, timer.nanoTime());
    }

    /** Forgets which attempts failed. */
    void retry() {
        selection.retry(timer.nanoTime());
    }

    /**
     * Dials the hubs that it is time for; to be called each second.
     *
     * @param own address at which this process's own hub listens, if it has one
     */
    void dial(Optional<InetAddress> own) {
        long now = timer.nanoTime();
        selection.take(now, own.isPresent() ? Integer.MAX_VALUE : workersSessions(now)).forEach(address -> {
            if (own.filter(address::equals).isPresent()) {
                selection.isSelf(address);
            } else {
                timer.after(STALLED, again);
                connect.accept(address);
            }
        });
    }

    /** Returns how many sessions and attempts a worker may have now. */
    private int workersSessions(long now) {
        int busy = selection.busy();
        List<Long> attempts = selection.attempts();
        long patience = STALLED.toNanos() * attempts.size();
        if (attempts.stream().anyMatch(began -> now - began < patience)) {
            return busy;
        }
        if (selection.sessions().allMatch(session -> now - session.lastReceived() >= SILENT.toNanos())) {
            return busy + 1;
        }
        return now - nextSession >= 0 ? Math.min(HubSelection.MOST_HUBS, busy + 1) : busy;
    }

    /** Notes that the hub at this address is this process's own. */
    void isSelf(InetAddress address) {
        selection.isSelf(address);
    }

    /** Notes that a session began. */
    void connected(InetAddress address, MessageChannel channel) {
        long now = timer.nanoTime();
        Duration spacing = selection.connected(address, channel, now).multipliedBy(SPACING);
        spacing = spacing.compareTo(MAX_SPACING) < 0 ? spacing : MAX_SPACING;
        nextSession = now + spacing.toNanos();
        timer.after(spacing, again);
    }

    /** Notes that no session came about. */
    void failed(InetAddress address) {
        selection.failed(address, timer.nanoTime());
        timer.after(PAUSE, again);
    }

    /** Notes that a session ended. */
    void closed(MessageChannel channel) {
        selection.closed(channel, timer.nanoTime());
        timer.after(PAUSE, again);
    }
}
