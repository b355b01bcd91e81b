package io.vxseal.lab;

import java.time.Duration;

/** The packets that come in to a task from now on, as its own network namespace sees them; see {@link Task#listen}. */
public final class Listener implements AutoCloseable {

    private static final Duration LIFE = Duration.ofMinutes(10);
    private static final Duration START = Duration.ofSeconds(30);

    private final Guest guest;
    private final String file;
    private final Guest.Spawned tcpdump;

    Listener(Task task, String filter) {
        this.guest = task.guest();
        this.file = guest.sh("mktemp /tmp/listener-XXXXXX");
        this.tcpdump = guest.spawn("exec %s tcpdump -i any -Q in -n -U --immediate-mode -Z root -w %s '%s' 2>%s.log"
                .formatted(task.inside(), file, filter, file), LIFE);
        Await.until("tcpdump to listen in " + task, START, () -> guest.sh("cat " + file + ".log 2>/dev/null || true").contains("listening on"));
    }

    /** How many packets have come in by now. */
    public long count() {
        return Long.parseLong(guest.sh("tcpdump -n -r " + file + " --count 2>/dev/null").split(" ")[0]);
    }

    @Override
    public void close() {
        tcpdump.kill();
    }
}
