package io.vxseal.cluster.link;

import com.sun.management.OperatingSystemMXBean;
import io.vxseal.cluster.refusal.Refusals;
import io.vxseal.swarm.SwarmIdentity;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Hub in a process with the launcher's limits. Prints its port; answers each line of its input with the sessions, the
 * octets of heap and of resident memory after a collection, and the nanoseconds of processor time; "send" sends 1000
 * octets to each session before that.
 */
final class HubProcess {
    /** The launcher's flags that matter for time and memory. */
    static final List<String> FLAGS = List.of("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xms10m", "-Xmn5m",
            "-Xmx96m", "-XX:MinHeapFreeRatio=10", "-XX:MaxHeapFreeRatio=20", "-XX:-ShrinkHeapInSteps",
            "-XX:ReservedCodeCacheSize=32m", "-XX:TrimNativeHeapInterval=10000");

    private HubProcess() {}

    /** Takes the folder of the hub's certificate. */
    public static void main(String[] args) throws Exception {
        Recorder recorder = new Recorder();
        HubServer hub = new HubServer(new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), 0),
                SwarmIdentity.read(Path.of(args[0])), new LinkThreads(), LinkTimes.DEFAULT, recorder, new Refusals());
        hub.start();
        System.out.println(hub.port());
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            if (line.equals("send")) {
                recorder.open.forEach(connection -> connection.send(new byte[1000]));
            }
            long cpu = ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
            System.gc();
            long heap = ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
            long resident = Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ")[1]) * 4096;
            System.out.println(recorder.open.size() + " " + heap + " " + resident + " " + cpu);
        }
    }
}
