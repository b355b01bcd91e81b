package io.vxseal.bench;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.address.NodeAddresses;
import io.vxseal.encryption.Key;
import io.vxseal.encryption.KeyRing;
import io.vxseal.encryption.NodePlan;
import io.vxseal.encryption.Spi;
import io.vxseal.encryption.Transition;
import io.vxseal.kernel.xfrm.XfrmChange;
import io.vxseal.peers.Peer;
import io.vxseal.peers.PeerDatabase;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
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
 * Benchmarks of the computations before any exchange with the kernel or another node. Use the launcher's collector and compiler.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(value = 1, jvmArgsAppend = {"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx96m"})
@Warmup(iterations = 4, time = 1)
@Measurement(iterations = 5, time = 1)
@State(Scope.Benchmark)
public class PureBenchmark {
    private static final int NODES = 1000;
    private static final int ENDPOINTS = 10_000;

    private final PeerDatabase peers = new PeerDatabase();
    private final List<NodePlan> before = new ArrayList<>();
    private final List<NodePlan> after = new ArrayList<>();
    private NodeAddresses ends;
    private InetAddress remote;
    private KeyRing ring;
    private Key next;

    @Setup
    public void fill() {
        ends = Programming.ENDS;
        remote = Programming.peer(0);
        ring = Programming.RING;
        KeyRing rotated = Programming.rotated(ring);
        next = rotated.keys().getLast();
        for (int i = 0; i < NODES; i++) {
            before.add(NodePlan.of(ends, Programming.peer(i), ring, Programming.PORT));
            after.add(NodePlan.of(ends, Programming.peer(i), rotated, Programming.PORT));
        }
        for (int i = 0; i < ENDPOINTS; i++) {
            InetAddress address = InetAddress.ofLiteral("10.44.%d.%d".formatted(i / 250, i % 250 + 1));
            peers.add(new Peer("network", "%064x".formatted(i), new Cidr(address, 16), MacAddress.of(address),
                    Programming.peer(i % NODES)));
        }
    }

    /** Computes the SPI of a flow under a key. */
    @Benchmark
    public int spi() {
        return Spi.of(remote, ends.advertise(), next.tag());
    }

    /** Computes the plan for one node. */
    @Benchmark
    public NodePlan planForANode() {
        return NodePlan.of(ends, remote, ring, Programming.PORT);
    }

    /** Computes the transition of the plans for 1000 nodes to the next keys. */
    @Benchmark
    public List<XfrmChange> stepsOfARotationOf1000Nodes() {
        Transition transition = new Transition(1);
        for (int i = 0; i < NODES; i++) {
            transition.add(before.get(i), after.get(i));
        }
        return transition.steps();
    }

    /** Updates a ring: adds a key, makes another primary, prunes one. */
    @Benchmark
    public KeyRing updateOfARing() {
        return ring.update(Optional.of(next), OptionalInt.of(ring.keys().getLast().tag()),
                OptionalInt.of(ring.keys().get(1).tag()));
    }

    /** Looks up all endpoints of a network in turn. */
    @Benchmark
    public Collection<Peer> walkOf10000Endpoints() {
        return peers.walk();
    }
}
