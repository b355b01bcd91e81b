package io.vxseal.lab;

import java.time.Instant;
import java.util.List;
import java.util.stream.Stream;

/** What a guest's engine did with services' tasks, at the guest's uptimes in seconds. */
public final class EngineEvents {
    /** Prints the engine's log, its plugins' lines included. After a power cut it can contain zero bytes. */
    static final String LOG = "tr -d '\\000' < /var/log/dockerd.log";

    private static final double NANOSECONDS = 1e9;

    private EngineEvents() {}

    /** Returns when tasks of a service became healthy there, as far as the 256 last events tell that an engine keeps. */
    public static List<Double> healthy(Guest guest, String service) {
        return uptimes(guest, guest.sh("docker events --since 1h --until 0s --filter event=health_status --format"
                + " '{{.TimeNano}} {{.Action}} {{index .Actor.Attributes \"com.docker.swarm.service.name\"}}'")
                .lines().filter(line -> line.endsWith(" health_status: healthy " + service))
                .map(line -> Long.parseLong(line.split(" ")[0]) / NANOSECONDS));
    }

    /**
     * Returns when the engine took another host's task that was told to stop for one that starts, so that it is among its service's
     * until its container is gone. Engines from before May 2025 do where their synchronization, every 30 s, overtakes their
     * gossip (moby, issue 41896): an endpoint of a service is added that is there already.
     */
    public static List<Double> stoppingTaskAdded(Guest guest) {
        return uptimes(guest, guest.sh(LOG + " | sed -n"
                + " 's/^time=\"\\([^\"]*\\)\".*addServiceBinding .* possible transient state ok:false entries:1 .*/\\1/p'")
                .lines().map(Instant::parse).map(time -> time.getEpochSecond() + time.getNano() / NANOSECONDS));
    }

    /**
     * Returns how often the engine has taken another one for failed. It forgets that one's containers then, until they have synchronized
     * again: for as long the built-in driver does not reach them.
     */
    static int othersTakenForFailed(Guest guest) {
        return Integer.parseInt(guest.sh(LOG + " | grep -c 'left gossip cluster' || true"));
    }

    private static List<Double> uptimes(Guest guest, Stream<Double> times) {
        String[] clocks = guest.sh("date +%s.%N; cat /proc/uptime").split("\\s+");
        double boot = Double.parseDouble(clocks[0]) - Double.parseDouble(clocks[1]);
        return times.map(time -> time - boot).toList();
    }
}
