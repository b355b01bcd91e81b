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

/** Dialling of hubs: keeps as many sessions as there should be. Pure, one thread. */
final class HubDialer {
    /** Before the next attempt anywhere: several sessions may end at once. */
    private static final Duration PAUSE = Duration.ofMillis(50);

    private final Timer timer;
    private final HubSelection selection;
    private final Consumer<InetAddress> connect;
    private final Runnable again;
    private final Map<MessageChannel, InetAddress> dialled = new HashMap<>();

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
        int most = own.isPresent() ? Integer.MAX_VALUE : HubSelection.MOST_HUBS;
        selection.take(timer.nanoTime(), most).forEach(address -> {
            if (own.filter(address::equals).isPresent()) {
                selection.isSelf(address);
            } else {
                connect.accept(address);
            }
        });
    }

    /** Notes that the hub at this address is this process's own. */
    void isSelf(InetAddress address) {
        selection.isSelf(address);
    }

    /** Notes that a session began. */
    void connected(InetAddress address, MessageChannel channel) {
        selection.connected(address);
        dialled.put(channel, address);
    }

    /** Notes that no session came about. */
    void failed(InetAddress address) {
        selection.closed(address, timer.nanoTime());
        timer.after(PAUSE, again);
    }

    /** Notes that a session ended. */
    void closed(MessageChannel channel) {
        InetAddress address = dialled.remove(channel);
        if (address != null) {
            failed(address);
        }
    }
}
