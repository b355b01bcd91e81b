package io.vxseal.bench;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.cluster.hub.Hub;
import io.vxseal.cluster.hub.RecordStore;
import io.vxseal.cluster.message.ManualTimer;
import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.MessageChannel;
import io.vxseal.cluster.message.MessageEncoder;
import io.vxseal.cluster.message.RingMark;
import io.vxseal.cluster.record.EndpointRecord;
import io.vxseal.cluster.record.HubView.Retention;
import io.vxseal.cluster.record.NetworkRecord;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.cluster.ring.Rings;
import io.vxseal.swarm.NodeName;
import io.vxseal.swarm.Role;
import java.net.InetAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
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

/** Benchmark of a hub with many sessions, messages encoded, without sockets. Use the launcher's collector and compiler. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(value = 1, jvmArgsAppend = {"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx96m"})
@Warmup(iterations = 4, time = 1)
@Measurement(iterations = 5, time = 1)
@State(Scope.Benchmark)
public class HubBenchmark {
    private static final int SESSIONS = 1000;
    private static final int ENDPOINTS = 10;
    private static final Duration BATCH = Duration.ofMillis(20);

    private final ManualTimer timer = new ManualTimer();
    private final MessageEncoder encoder = new MessageEncoder();
    private final Hub hub = new Hub("m1", 1, new Retention(Duration.ofSeconds(26), Duration.ofMinutes(10)), timer, "m1"::equals,
            new NoRing(), RecordStore.NONE, (_, _, _) -> { });
    private final MessageChannel teller = channel("w0");
    private long revision;
    private long octets;

    private static final class NoRing implements Rings {
        @Override
        public RingMark mark() {
            return RingMark.NONE;
        }

        @Override
        public Optional<Message.Ring> newerThan(RingMark theirs) {
            return Optional.empty();
        }

        @Override
        public boolean has(byte[] octets) {
            return false;
        }

        @Override
        public boolean hadLately(byte[] octets) {
            return false;
        }

        @Override
        public void take(byte[] ring) {
            throw new IllegalStateException("no ring is brought here");
        }

        @Override
        public boolean isRotationRequested() {
            return false;
        }

        @Override
        public void onRotationRequest(RingMark ring) {
            throw new IllegalStateException("no rotation is requested here");
        }

        @Override
        public Set<Integer> revoked() {
            return Set.of();
        }

        @Override
        public void onRevocation(Set<Integer> tags) {
            throw new IllegalStateException("no key is revoked here");
        }

        @Override
        public void onRemoval(String node) {
            throw new IllegalStateException("no node leaves here");
        }
    }

    private MessageChannel channel(String node) {
        NodeName name = new NodeName("swarm", Role.WORKER, node);
        return new MessageChannel() {
            @Override
            public NodeName peer() {
                return name;
            }

            @Override
            public boolean send(Message message) {
                octets += encoder.encode(message).length;
                return true;
            }

            @Override
            public void close(String reason) {
                throw new IllegalStateException(reason);
            }

            @Override
            public long lastReceived() {
                return timer.nanoTime();
            }
        };
    }

    @Setup
    public void open() {
        timer.pass(Duration.ofSeconds(5));
        hub.tick();
        for (int i = 0; i <= SESSIONS; i++) {
            MessageChannel channel = i == 0 ? teller : channel("w" + i);
            hub.opened(channel);
            hub.received(channel, new Message.Hello(RingMark.NONE, false));
            hub.received(channel, new Message.Subscribe(Set.of("network"), false));
        }
        timer.pass(BATCH);
    }

    /** Tells 1000 sessions that one node with ten endpoints has another one. */
    @Benchmark
    public long changeToldTo1000Sessions() {
        List<EndpointRecord> endpoints = new ArrayList<>();
        for (int i = 0; i < ENDPOINTS; i++) {
            InetAddress address = InetAddress.ofLiteral("10.44.1." + (i + 2));
            endpoints.add(new EndpointRecord("%064x".formatted(i == 0 ? revision : i), new Cidr(address, 16), MacAddress.of(address), 0));
        }
        hub.received(teller, new Message.Announce(new NodeRecord("w0", Role.WORKER, 1, ++revision, InetAddress.ofLiteral("10.1.0.1"), 0,
                false, false, false, List.of(new NetworkRecord("network", List.of(), endpoints)))));
        timer.pass(BATCH);
        return octets;
    }
}
