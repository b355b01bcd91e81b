package io.vxseal.cluster;

import io.vxseal.cluster.message.MessageChannel;
import io.vxseal.cluster.message.Timer;
import io.vxseal.cluster.node.HubSelection;
import java.net.InetAddress;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;

/**
 * Dialling of hubs: keeps as many sessions as there should be. Pure, one thread.
 *
 * <p>A worker begins with one session, as any hub tells all. The others follow the more slowly the longer the last took: where a whole
 * swarm starts at once, every node has a first session before the hubs are busy with second ones.
 */
final class HubDialer {
    /** Before the next attempt anywhere: several sessions may end at once. */
    private static final Duration PAUSE = Duration.ofMillis(50);

    /** Times the duration of the last attempt that a worker waits before its next session. */
    private static final int SPACING = 10;
    private static final Duration MAX_SPACING = Duration.ofSeconds(30);

    /** Age of an attempt that nobody waits for any longer: the hub hangs. */
    private static final Duration STALLED = Duration.ofSeconds(10);

    private final Timer timer;
    private final HubSelection selection;
    private final Consumer<InetAddress> connect;
    private final Runnable again;
    private final Map<MessageChannel, InetAddress> dialled = new HashMap<>();

    /** When the attempts that are under way began. */
    private final Map<InetAddress, Long> attempts = new HashMap<>();
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
     * Dials the hubs that it is time for.
     *
     * @param own address at which this process's own hub listens, if it has one
     */
    void dial(Optional<InetAddress> own) {
        long now = timer.nanoTime();
        int most = own.isPresent() ? Integer.MAX_VALUE : Math.min(HubSelection.MOST_HUBS, workersSessions(now));
        selection.take(now, most).forEach(address -> {
            if (own.filter(address::equals).isPresent()) {
                selection.isSelf(address);
            } else {
                attempts.put(address, now);
                timer.after(STALLED, again);
                connect.accept(address);
            }
        });
    }

    /** Returns how many sessions and attempts a worker may have now. */
    private int workersSessions(long now) {
        int busy = dialled.size() + attempts.size();
        boolean waits = attempts.values().stream().anyMatch(since -> now - since < STALLED.toNanos());
        boolean mayHaveAnother = dialled.isEmpty() || now - nextSession >= 0;
        return !waits && mayHaveAnother ? busy + 1 : busy;
    }

    /** Notes that the hub at this address is this process's own. */
    void isSelf(InetAddress address) {
        attempts.remove(address);
        selection.isSelf(address);
    }

    /** Notes that a session began. */
    void connected(InetAddress address, MessageChannel channel) {
        selection.connected(address);
        dialled.put(channel, address);
        long now = timer.nanoTime();
        Long since = attempts.remove(address);
        Duration spacing = Duration.ofNanos(since == null ? 0 : SPACING * (now - since));
        spacing = spacing.compareTo(MAX_SPACING) < 0 ? spacing : MAX_SPACING;
        nextSession = now + spacing.toNanos();
        timer.after(spacing, again);
    }

    /** Notes that no session came about. */
    void failed(InetAddress address) {
        attempts.remove(address);
        selection.closed(address, timer.nanoTime());
        timer.after(PAUSE, again);
    }

    /** Notes that a session ended. */
    void closed(MessageChannel channel) {
        InetAddress address = dialled.remove(channel);
        // An address that left the list and is back may have another session by now.
        if (address != null && !dialled.containsValue(address) && !attempts.containsKey(address)) {
            failed(address);
        }
    }
}
