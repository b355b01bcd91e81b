package io.vxseal.lab;

import java.time.Duration;

/**
 * The packets that come in to a task from now on, as its own network namespace sees them; see {@link Task#listen}. One
 * that lost packets proves nothing about what did not come in, so {@link #close} fails then.
 */
public final class Listener implements AutoCloseable {

    private static final Duration LIFE = Duration.ofMinutes(10);
    private static final Duration START = Duration.ofSeconds(30);

    /**
     * Octets of each packet, which is more than a filter looks at. Of all links at once tcpdump takes packets of 256 KiB
     * unless told otherwise, of which its buffer has room for eight: a ninth that comes before it has run is lost.
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

    /** How many packets have come in by now. */
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
