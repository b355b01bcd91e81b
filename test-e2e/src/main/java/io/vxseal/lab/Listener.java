package io.vxseal.lab;

import java.time.Duration;

/**
 * The incoming packets of a task from now on, as seen in its network namespace; see {@link Task#listen}. A listener
 * that lost packets cannot prove that a packet did not arrive, so {@link #close} fails then.
 */
public final class Listener implements AutoCloseable {

    private static final Duration LIFE = Duration.ofMinutes(10);
    private static final Duration START = Duration.ofSeconds(30);

    /**
     * Bytes captured of each packet, which is more than a filter reads. On all links at once tcpdump reserves 256 KiB
     * per packet by default, and its buffer has room for eight: a ninth that arrives before tcpdump has run is lost.
     */
    private static final int ENOUGH = 256;

    private final Guest guest;
    private final String file;
    private final Guest.Spawned tcpdump;

    Listener(Task task, String filter) {
        this.guest = task.guest();
        this.file = guest.sh("mktemp /tmp/listener-XXXXXX");
        this.tcpdump = guest.spawn("exec %s tcpdump -i any -Q in -n -U --immediate-mode -s %d -Z root -w %s '%s' 2>%s.log"
                .formatted(task.inside(), ENOUGH, file, filter, file), LIFE);
        Await.until("tcpdump to listen in " + task, START, () -> said().contains("listening on"));
    }

    /** Returns how many packets have arrived so far. */
    public long count() {
        return Long.parseLong(guest.sh("tcpdump -n -r " + file + " --count 2>/dev/null").split(" ")[0]);
    }

    private String said() {
        return guest.sh("cat " + file + ".log 2>/dev/null || true");
    }

    @Override
    public void close() {
        tcpdump.interrupt();
        tcpdump.await();
        if (!Capture.isWhole(said())) {
            throw new LabException("what " + guest + " heard is not whole: " + said());
        }
    }
}
