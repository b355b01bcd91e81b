package io.vxseal.cluster.link;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.OperatingSystemMXBean;
import io.vxseal.swarm.Role;
import java.io.BufferedReader;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A hub with as many sessions as a large swarm has nodes; the other ends are in a process of their own. */
class ManySessionsTest extends LinkTest {
    private static final int NODES = Integer.getInteger("vxseal.sessions", 1000);

    @Test
    void holdsThousandSessions() throws Exception {
        for (int i = 2; i < NODES + 2; i++) {
            authority().folder("node-" + i, Role.WORKER);
        }
        HubServer hub = hub(atHub, LinkTimes.DEFAULT);
        Process clients = start(hub.port());
        try (BufferedReader output = clients.inputReader()) {
            assertThat(output.readLine()).isEqualTo("ready");
            long heap = heap();
            long resident = resident();
            long cpu = cpu();
            clients.outputWriter().append('\n').flush();
            String connected = output.readLine();
            assertThat(connected).startsWith("connected");
            atHub.await("all sessions", () -> atHub.open.size() == NODES);
            assertThat(hub.pending()).isZero();
            System.out.printf("measured: %d sessions stood after %s ms, for %d ms of the hub's processor time%n",
                    NODES, connected.split(" ")[1], (cpu() - cpu) / 1_000_000);
            System.out.printf("measured: a session takes %.1f KiB of heap; resident memory grew by %.1f KiB each%n",
                    (heap() - heap) / 1024.0 / NODES, (resident() - resident) / 1024.0 / NODES);
            cpu = cpu();
            Thread.sleep(Duration.ofSeconds(10));
            System.out.printf("measured: %d sessions at rest take %.1f %% of a processor%n",
                    NODES, (cpu() - cpu) / 1e9 / 10 * 100);
            assertThat(atHub.open).hasSize(NODES);
            long sent = System.nanoTime();
            atHub.open.forEach(connection -> connection.send(new byte[1000]));
            System.out.printf("measured: a message of 1000 octets to each was sent in %d ms%n",
                    (System.nanoTime() - sent) / 1_000_000);
        } finally {
            clients.destroy();
            clients.waitFor();
        }
    }

    private static Process start(int port) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx768m", "-XX:+UseSerialGC", "-cp", System.getProperty("java.class.path"),
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                ClientProcess.class.getName(), String.valueOf(port), folder.toString(), "2", String.valueOf(NODES)));
        return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    }

    private static long heap() throws InterruptedException {
        for (int i = 0; i < 3; i++) {
            System.gc();
            Thread.sleep(100);
        }
        return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
    }

    private static long resident() throws IOException {
        String pages = Files.readString(Path.of("/proc/self/statm")).split(" ")[1];
        return Long.parseLong(pages) * 4096;
    }

    private static long cpu() {
        return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
    }
}
