package io.vxseal.cluster.link;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.swarm.Role;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A hub, in a process with the launcher's limits, with as many sessions as a large swarm has nodes. */
class ManySessionsTest extends LinkTest {
    private static final int NODES = Integer.getInteger("vxseal.sessions", 1000);

    /** Figures of the hub's process. */
    private record Figures(int sessions, long heap, long resident, long cpuNanos) {}

    @Test
    void holdsThousandSessions() throws Exception {
        for (int i = 2; i < NODES + 2; i++) {
            authority().folder("node-" + i, Role.WORKER);
        }
        Process hub = start(HubProcess.FLAGS, HubProcess.class, authority().folder("hub", Role.MANAGER).toString());
        Process clients = null;
        try (BufferedReader fromHub = hub.inputReader()) {
            String port = fromHub.readLine();
            clients = start(List.of("-Xmx768m", "-XX:+UseSerialGC"), ClientProcess.class,
                    port, folder.toString(), "2", String.valueOf(NODES));
            BufferedReader fromClients = clients.inputReader();
            assertThat(fromClients.readLine()).isEqualTo("ready");
            Figures before = ask(hub, fromHub, "figures");
            say(clients, "dial");
            String connected = fromClients.readLine();
            assertThat(connected).startsWith("connected");
            Figures all = ask(hub, fromHub, "figures");
            assertThat(all.sessions()).isEqualTo(NODES);
            System.out.printf("measured: %d sessions stood after %s ms, for %d ms of the hub's processor time%n",
                    NODES, connected.split(" ")[1], (all.cpuNanos() - before.cpuNanos()) / 1_000_000);
            System.out.printf("measured: a session takes %.1f KiB of heap; resident memory %d MiB before, %d MiB with all%n",
                    (all.heap() - before.heap()) / 1024.0 / NODES, before.resident() >> 20, all.resident() >> 20);
            all = ask(hub, fromHub, "figures");
            Thread.sleep(Duration.ofSeconds(16));
            Figures rest = ask(hub, fromHub, "figures");
            System.out.printf("measured: %d sessions at rest take %.1f %% of a processor%n",
                    NODES, (rest.cpuNanos() - all.cpuNanos()) / 1e9 / 16 * 100);
            Figures sent = ask(hub, fromHub, "send");
            System.out.printf("measured: a message of 1000 octets to each takes %d ms of processor time%n",
                    (sent.cpuNanos() - rest.cpuNanos()) / 1_000_000);
            assertThat(sent.sessions()).as("sessions that still stand").isEqualTo(NODES);
        } finally {
            hub.destroy();
            if (clients != null) {
                clients.destroy();
                clients.waitFor();
            }
        }
    }

    private static Figures ask(Process hub, BufferedReader fromHub, String word) throws IOException {
        say(hub, word);
        String[] figures = fromHub.readLine().split(" ");
        return new Figures(Integer.parseInt(figures[0]), Long.parseLong(figures[1]), Long.parseLong(figures[2]),
                Long.parseLong(figures[3]));
    }

    private static void say(Process process, String word) throws IOException {
        process.outputWriter().append(word).append('\n').flush();
    }

    private static Process start(List<String> flags, Class<?> program, String... args) throws IOException {
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString()));
        command.addAll(flags);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"),
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", program.getName()));
        command.addAll(List.of(args));
        return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    }
}
