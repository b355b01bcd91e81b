package io.vxseal.bench;

import io.vxseal.cluster.ClusterStatus;
import io.vxseal.encryption.PeerTraffic;
import io.vxseal.encryption.Tally;
import io.vxseal.kernel.firewall.Drops;
import io.vxseal.metrics.CallStats;
import io.vxseal.metrics.Exposition;
import io.vxseal.metrics.Sample;
import io.vxseal.overlay.KernelCounters;
import io.vxseal.overlay.Overview;
import io.vxseal.swarm.Role;
import java.net.InetAddress;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Benchmark of a scrape of a manager with 1000 peers, without what the kernel is asked for it: the text that Prometheus gets. Use the
 * launcher's collector and compiler.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(value = 1, jvmArgsAppend = {"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx96m"})
@Warmup(iterations = 4, time = 1)
@Measurement(iterations = 5, time = 1)
@State(Scope.Benchmark)
public class ScrapeBenchmark {
    private static final int PEERS = 1000;
    private static final Instant NOW = Instant.parse("2026-03-01T12:00:00Z");

    private Sample sample;

    @Setup
    public void fill() {
        List<PeerTraffic> traffic = new ArrayList<>();
        List<ClusterStatus.Member> members = new ArrayList<>();
        for (int i = 0; i < PEERS; i++) {
            InetAddress peer = Programming.peer(i);
            traffic.add(new PeerTraffic(peer, NOW, 1_500_000_000L + i, 1_000_000 + i, 1_400_000_000L + i, 990_000 + i));
            members.add(new ClusterStatus.Member("node" + i, Optional.of(Role.WORKER), Optional.of(peer), 10, Duration.ofSeconds(1)));
        }
        Tally tally = new Tally(4 * PEERS, PEERS + 1);
        Overview overview = new Overview(Optional.of(Programming.ENDS), List.of(), List.of(), List.of(), Optional.of("iptables-nft"),
                tally, Optional.of(tally), traffic, List.of(), List.of(), new Overview.Repaired(0, 0, 0, 0), List.of());
        ClusterStatus cluster = new ClusterStatus(Optional.of("swarm"), Optional.of("node"), Optional.empty(), members, List.of(), List.of(),
                Optional.empty(), Map.of(), Map.of(), List.of());
        CallStats calls = new CallStats();
        calls.add("Join", Duration.ofMillis(7));
        sample = new Sample("0.1.0", overview, new KernelCounters(Map.of(), Drops.NONE, Drops.NONE), cluster, Duration.ofHours(12), calls, NOW);
    }

    /** Writes a scrape. */
    @Benchmark
    public byte[] scrapeWith1000Peers() {
        return Exposition.print(sample);
    }
}
