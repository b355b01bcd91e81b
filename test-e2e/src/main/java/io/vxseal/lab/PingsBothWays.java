package io.vxseal.lab;

import java.time.Duration;
import java.util.List;

/** Pings in the background between two tasks on two hosts, in both directions, none of which may be lost. The kernels count them. */
public final class PingsBothWays implements AutoCloseable {
    private static final Duration LAST_ANSWERS = Duration.ofSeconds(10);

    private final List<Task> tasks;
    private final Task.Pings before;
    private final List<Task.Flood> floods;

    private PingsBothWays(List<Task> tasks, int perSecond, Duration longest) {
        this.tasks = tasks;
        before = Task.echoes(tasks);
        int count = perSecond * (int) longest.toSeconds();
        floods = List.of(tasks.getFirst().flood(tasks.getLast(), perSecond, count), tasks.getLast().flood(tasks.getFirst(), perSecond, count));
    }

    /**
     * Starts them between the first task and the last.
     *
     * @param perSecond in each direction
     * @param longest time after which they end by themselves
     */
    public static PingsBothWays start(List<Task> tasks, int perSecond, Duration longest) {
        return new PingsBothWays(tasks, perSecond, longest);
    }

    private Task.Pings counted() {
        Task.Pings now = Task.echoes(tasks);
        return new Task.Pings(now.sent() - before.sent(), now.received() - before.received(), 0);
    }

    /**
     * Stops them and returns how many left and were answered.
     *
     * @throws LabException if they ended by themselves before, if one is not answered within ten seconds, or if one was answered twice
     */
    public int stopWithoutLoss() {
        if (!floods.stream().allMatch(Task.Flood::isRunning)) {
            throw new LabException("pings ended before they were stopped: " + floods);
        }
        Task.Pings own = Together.map(floods, Task.Flood::stop).stream().reduce(Task.Pings.NONE, Task.Pings::and);
        Await.until(() -> "the answers to all pings that left: %s; the kernels' errors of IPsec since they started: %s"
                .formatted(counted(), ipsecErrors()), LAST_ANSWERS, () -> counted().allBack());
        Task.Pings counted = counted();
        if (own.sent() > counted.sent() || own.duplicates() > 0) {
            throw new LabException("pings counted by themselves %s, and by the kernels %s".formatted(own, counted));
        }
        return counted.sent();
    }

    private List<String> ipsecErrors() {
        return Together.map(tasks, task -> task.guest().sh("awk '$2 > 0 { print $1, $2 }' /proc/net/xfrm_stat"));
    }

    @Override
    public void close() {
        floods.forEach(Task.Flood::close);
    }
}
