package io.vxseal.lab;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import org.awaitility.pollinterval.IterativePollInterval;
import org.awaitility.pollinterval.PollInterval;

/**
 * One Docker host: a stock Debian in a machine of its own. Commands reach it by QEMU's guest agent and not by
 * the network, so they work with a cut wire; several may run at once.
 */
public final class Guest implements AutoCloseable {

    /** Limit for queries of the kernel or the engine. On emulated hosts a docker command takes seconds. */
    private static final Duration SHORT = Duration.ofSeconds(60);

    private static final Duration ANSWER = Duration.ofSeconds(30);

    /** Each question costs the guest time that the command could use. */
    private static final PollInterval LESS_OFTEN = IterativePollInterval.iterative(
            pause -> pause.compareTo(Duration.ofMillis(400)) < 0 ? pause.multipliedBy(2) : pause, Duration.ofMillis(50));

    private static final List<String> ENVIRONMENT =
            List.of("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8");
    private static final int CHUNK = 48 * 1024;

    private static final Duration BOOT = Duration.ofMinutes(2);
    private static final Duration ENGINE = Duration.ofMinutes(5);

    private final Machine.Place place;
    private final Supplier<Machine> boots;
    private volatile Machine machine;
    private volatile JsonSocket agent;

    /** @param boots boots the machine again from its disk */
    Guest(Machine.Place place, Machine machine, Supplier<Machine> boots) {
        this.place = place;
        this.boots = boots;
        plug(machine);
    }

    private void plug(Machine now) {
        this.machine = now;
        this.agent = JsonSocket.connect(place.name() + "'s agent", place.file("agent"), ANSWER);
    }

    public String name() {
        return place.name();
    }

    public String address() {
        return place.address();
    }

    /** Returns its address once the swarm has {@link Swarm#moveToIpv6 moved}. */
    public String address6() {
        return "fd00:55::" + number();
    }

    /** Returns its address on the network for data, once the swarm has {@link Swarm#moveDataToVlan one}. */
    public String dataAddress() {
        return "10.56.0." + number();
    }

    /** Returns the MAC address of its link to the wire. */
    public String mac() {
        return place.mac();
    }

    int number() {
        return place.number();
    }

    Path console() {
        return place.file("console");
    }

    Path disk() {
        return Disk.of(place);
    }

    Path qemuLog() {
        return place.file("qemu");
    }

    Machine machine() {
        return machine;
    }

    /** Cuts its power: it stops at once, without notice to anybody. */
    public void unplug() {
        close();
    }

    /** Boots it from its disk after {@link #unplug}, and starts its engine. */
    public void boot() {
        plug(boots.get());
        awaitAgent(BOOT);
        run("/lab/engine start", ENGINE).require();
    }

    /** Stops the engine in good order and starts it again; its containers and plugins end and start with it. */
    public void restartEngine() {
        run("/lab/engine stop && /lab/engine start", ENGINE).require();
    }

    void awaitAgent(Duration limit) {
        // Requests are lost until the guest opens its end of the port, so they are repeated.
        Await.until(name() + "'s agent", limit, () -> {
            machine.crash().ifPresent(why -> {
                throw new LabException(why);
            });
            return agent.ask("guest-ping", Map.of(), Duration.ofSeconds(1)).isPresent();
        });
    }

    /** Runs a shell command that must succeed, and returns its standard output. */
    public String sh(String command) {
        return run(command, SHORT).require();
    }

    /** Runs a shell command and ends it after the limit, with {@link Outcome#TIMED_OUT}. */
    public Outcome run(String command, Duration limit) {
        return spawn(command, limit).await();
    }

    /** Steps the host's wall clock by a time, which may be negative. */
    public void stepClock(Duration by) {
        sh("date -u -s @$(($(date +%%s) + %d))".formatted(by.toSeconds()));
    }

    /** Returns the time of its clock, in seconds since 1970. */
    public double clock() {
        return Double.parseDouble(sh("date +%s.%N"));
    }

    /** Starts a shell command and leaves it running, at most until {@code limit}. */
    public Spawned spawn(String command, Duration limit) {
        long pid = ask("guest-exec", Map.of(
                "path", "/usr/bin/timeout",
                "arg", List.of("-k", "5", String.valueOf(Math.max(1, limit.toSeconds())), "/bin/bash", "-c", command),
                "env", ENVIRONMENT,
                "capture-output", true)).path("pid").asLong();
        return new Spawned(command, pid, limit);
    }

    /** A running command in the guest. */
    public final class Spawned {

        private final String command;
        private final long pid;
        private final long end;

        private Spawned(String command, long pid, Duration limit) {
            this.command = command;
            this.pid = pid;
            this.end = System.nanoTime() + limit.plus(ANSWER).toNanos();
        }

        /** Waits for its end, which its own limit guarantees. */
        public Outcome await() {
            String what = name() + "# " + command;
            JsonNode status = Await.value("the end of " + what, Duration.ofNanos(end - System.nanoTime()), LESS_OFTEN, () ->
                    Optional.of(ask("guest-exec-status", Map.of("pid", pid))).filter(now -> now.path("exited").asBoolean()));
            int exit = status.has("signal") ? 128 + status.path("signal").asInt() : status.path("exitcode").asInt();
            return new Outcome(what, exit, text(status, "out-data"), text(status, "err-data"));
        }

        /** Returns whether it still runs. */
        public boolean isRunning() {
            return run("kill -0 " + pid, SHORT).ok();
        }

        /** Interrupts it like Ctrl-C: most programs then print their summary and end. */
        public void interrupt() {
            sh("kill -INT " + pid + " 2>/dev/null || true");
        }
    }

    private static String text(JsonNode status, String field) {
        return new String(Base64.getDecoder().decode(status.path(field).asText("")), StandardCharsets.UTF_8);
    }

    /** Writes a file in the guest. Large files are on the {@link Payload} instead. */
    public void copyIn(byte[] content, String path) {
        long handle = ask("guest-file-open", Map.of("path", path, "mode", "w")).asLong();
        for (int at = 0; at < content.length; at += CHUNK) {
            byte[] chunk = Arrays.copyOfRange(content, at, Math.min(content.length, at + CHUNK));
            ask("guest-file-write", Map.of("handle", handle, "buf-b64", Base64.getEncoder().encodeToString(chunk)));
        }
        ask("guest-file-close", Map.of("handle", handle));
    }

    /** Returns why the guest cannot go on, if its console says so. */
    Optional<String> crash() {
        return machine.crash();
    }

    private JsonNode ask(String command, Map<String, ?> arguments) {
        return agent.ask(command, arguments, ANSWER).orElseThrow(() -> new LabException(
                crash().orElse(name() + "'s agent did not answer " + command + " for " + ANSWER.toSeconds() + " s")));
    }

    @Override
    public void close() {
        agent.close();
        machine.close();
    }

    @Override
    public String toString() {
        return name();
    }
}
