package io.vxseal.encryption;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.address.NodeAddresses;
import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.xfrm.SecurityAssociation;
import io.vxseal.kernel.xfrm.SecurityAssociation.AeadKey;
import io.vxseal.kernel.xfrm.Xfrm;
import io.vxseal.kernel.xfrm.XfrmChange;
import io.vxseal.kernel.xfrm.XfrmRefusal;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The sequences of {@link SequenceTest} on a real kernel, of one host: after each action the kernel holds exactly what
 * is planned, iproute2 agreeing. And what a rotation is for: at each of its steps, on both hosts, datagrams arrive
 * sealed. Needs a kernel with ESP and AES-GCM, as the guests have.
 */
@Tag("esp")
class SequenceOnKernelTest {
    private static final int SEEDS = 20;
    private static final int ACTIONS = 25;
    private static final int ROTATIONS = 20;
    private static final int ROTATIONS_IN_A_FLOOD = 300;

    /** Key and salt of states that others put in the way. */
    private static final byte[] STRANGE = new byte[20];

    static {
        Arrays.fill(STRANGE, (byte) 0x77);
    }

    @TempDir
    Path folder;

    private TestHost host;
    private Xfrm xfrm;
    private Encryption encryption;
    private Wanted wanted;
    private Optional<Action.Fail> fault = Optional.empty();

    /** Whether a change failed, and none was made nor anything repaired since. */
    private boolean broken;

    @BeforeEach
    void open() throws Exception {
        host = new TestHost(folder.resolve("net"));
        xfrm = Xfrm.in(host.namespace());
        NodePlan plan = NodePlan.of(
                Action.home(0, false),
                Action.address(2, false),
                new KeyRing(List.of(Action.key(1, 0))),
                Wanted.PORT);
        List<XfrmRefusal> failures = xfrm.apply(new Transition(1).add(NodePlan.EMPTY, plan).steps());
        Assumptions.assumeTrue(failures.isEmpty(), () -> failures.getFirst().reason().getMessage());
        host.run("ip xfrm state flush");
        host.run("ip xfrm policy flush");
    }

    @AfterEach
    void close() throws Exception {
        xfrm.close();
        host.close();
    }

    static IntStream seeds() {
        return IntStream.rangeClosed(1, SEEDS);
    }

    @ParameterizedTest(name = "seed {0}")
    @MethodSource("seeds")
    void kernelHoldsExactlyThePlanAfterEachAction(int seed) throws Exception {
        Random random = new Random(seed);
        wanted = new Wanted(Action.home(0, seed % 2 == 0), KeyRing.EMPTY, Set.of(), false);
        encryption = new Encryption(xfrm, Wanted.PORT, EspProbe::check);
        encryption.addresses(wanted.ends());
        List<Action> played = new ArrayList<>();
        List<Action> sequence = Stream.concat(
                        Action.setup().stream(), Stream.generate(() -> Action.draw(random, 1)).limit(ACTIONS))
                .toList();
        for (Action action : sequence) {
            played.add(action);
            play(action, random);
            if (!broken) {
                assertThat(Held.in(xfrm).otherThan(wanted.held())).as("seed %d, after %s", seed, played).isEmpty();
                if (random.nextInt(4) == 0) {
                    iproute2Agrees();
                }
            }
            assertThat(encryption.ring()).isEqualTo(wanted.ring());
        }
        encryption.repair();
        assertThat(Held.in(xfrm).otherThan(wanted.held())).as("seed %d, in the end", seed).isEmpty();
        iproute2Agrees();
    }

    private void play(Action action, Random random) throws Exception {
        switch (action) {
            case Action.Fail fail -> fault = Optional.of(fail);
            case Action.Repair _ -> {
                damage(random);
                boolean damaged = !Held.in(xfrm).otherThan(wanted.held()).isEmpty();
                assertThat(encryption.repair() > 0).isEqualTo(damaged);
                broken = false;
            }
            case Action.Restart _ -> {
                if (random.nextBoolean()) {
                    damage(random);
                }
                restart(random);
                broken = false;
            }
            default -> {
                if (action.concerns(0)) {
                    change(action, random);
                }
            }
        }
    }

    /** Makes a change. If a failure is due, a state of another maker is in its way. */
    private void change(Action action, Random random) throws Exception {
        Wanted next;
        try {
            next = action.asks(0, wanted);
        } catch (IllegalArgumentException refused) {
            return;
        }
        Held before = Held.in(xfrm);
        List<SecurityAssociation> toCome = next.held().states().values().stream()
                .filter(state -> !before.states().containsKey(state.id()))
                .sorted(Comparator.comparing(state -> state.id().toString()))
                .toList();
        wanted = next;
        if (fault.isEmpty() || toCome.isEmpty()) {
            assertThat(apply(action)).isEmpty();
            assertThat(encryption.failures()).isEmpty();
            broken = false;
            return;
        }
        SecurityAssociation.Id id = toCome.get(fault.get().step() % toCome.size()).id();
        boolean labelled = random.nextBoolean();
        fault = Optional.empty();
        obstruct(id, labelled);
        assertThat(apply(action)).as("the nodes' failures").anyMatch(why -> why.contains(id + ": EEXIST"))
                .noneMatch(why -> why.contains("77".repeat(4)));
        broken = true;
        if (!labelled) {
            // What others made is in the way, not ours to delete.
            assertThat(host.run("ip xfrm state list")).contains("0x" + "77".repeat(STRANGE.length));
            host.run("ip xfrm state delete " + words(id));
        }
        if (random.nextBoolean()) {
            encryption.repair();
            broken = false;
        }
    }

    /** Applies an action as the driver does, and returns the failures. A failure for one node does not prevent the other steps. */
    private List<String> apply(Action action) throws KernelException {
        List<String> failures = new ArrayList<>();
        if (action instanceof Action.Seal(int _, boolean up) && up) {
            attempt(encryption::block, failures);
        }
        if (action instanceof Action.Move) {
            attempt(() -> encryption.addresses(wanted.ends()), failures);
        }
        switch (action) {
            case Action.Replace _, Action.Update _, Action.Rotate _ ->
                attempt(() -> encryption.ring(wanted.ring()), failures);
            default -> attempt(() -> encryption.nodes(wanted.sealedTo(), wanted.sealing()), failures);
        }
        return failures;
    }

    private interface Call {
        void run() throws KernelException;
    }

    private void attempt(Call call, List<String> failures) throws KernelException {
        call.run();
        failures.addAll(encryption.failures().values());
    }

    /** Replaces the process by a new one, which gets keys, nodes and its addresses in random order. */
    private void restart(Random random) throws Exception {
        xfrm.close();
        xfrm = Xfrm.in(host.namespace());
        encryption = new Encryption(xfrm, Wanted.PORT, EspProbe::check);
        encryption.adopt();
        List<Call> calls = new ArrayList<>(List.of(
                () -> encryption.ring(wanted.ring()),
                () -> encryption.nodes(wanted.sealedTo(), wanted.sealing()),
                () -> encryption.addresses(wanted.ends())));
        Collections.shuffle(calls, random);
        for (Call call : calls) {
            call.run();
        }
    }

    /** Adds a state that is in the way of a planned one: with our label, as an earlier process of ours, or without. */
    private void obstruct(SecurityAssociation.Id id, boolean labelled) throws Exception {
        if (!labelled) {
            host.run("ip xfrm state add %s reqid 13681891 mode transport aead rfc4106(gcm(aes)) 0x%s 64"
                    .formatted(words(id), "77".repeat(STRANGE.length)));
            return;
        }
        try (Xfrm other = Xfrm.in(host.namespace())) {
            var strange = new SecurityAssociation(id, new AeadKey(STRANGE));
            assertThat(other.apply(List.of(new XfrmChange.AddState(strange)))).isEmpty();
        }
    }

    /** Damages our states and policies, as other programs may. */
    private void damage(Random random) throws Exception {
        List<SecurityAssociation.Id> states = Held.in(xfrm).states().keySet().stream()
                .sorted(Comparator.comparing(SecurityAssociation.Id::toString))
                .toList();
        int kind = random.nextInt(5);
        if (kind < 2) {
            host.run("ip xfrm state flush");
        }
        if (kind == 1 || kind == 2) {
            host.run("ip xfrm policy flush");
        }
        if (kind > 2 && !states.isEmpty()) {
            SecurityAssociation.Id id = states.get(random.nextInt(states.size()));
            host.run("ip xfrm state delete " + words(id));
            if (kind == 4) {
                obstruct(id, true);
            }
        }
    }

    private static String words(SecurityAssociation.Id id) {
        return "src %s dst %s proto esp spi 0x%08x".formatted(
                id.source().getHostAddress(), id.destination().getHostAddress(), id.spi());
    }

    private void iproute2Agrees() {
        Held held = wanted.held();
        assertThat(entries("ip xfrm state list")).isEqualTo(held.states().size());
        assertThat(entries("ip xfrm policy list")).isEqualTo(held.policies().size());
    }

    private long entries(String list) {
        return host.run(list).lines().filter(line -> line.startsWith("src ")).count();
    }

    /** A host on a wire, with the rules of an encrypted network, that sends and receives numbered datagrams. */
    private record Station(TestHost host, Xfrm xfrm, DatagramSocket socket, NodeAddresses ends, NodeAddresses other) {
        NodePlan plan(KeyRing ring) {
            return NodePlan.of(ends, other.advertise(), ring, Wanted.PORT);
        }

        Deque<XfrmChange> steps(KeyRing from, KeyRing to) {
            return new ArrayDeque<>(new Transition(1).add(plan(from), plan(to)).steps());
        }

        static Station on(TestHost host, Xfrm xfrm, NodeAddresses ends, NodeAddresses other) throws Exception {
            host.run("ip address add %s/24 dev wire".formatted(ends.bind().getHostAddress()));
            host.run("ip link set wire up");
            host.run("iptables -w -t mangle -A OUTPUT -p udp --dport 4789 -j MARK --set-mark 0x76d0c4e3");
            host.run("iptables -w -A INPUT -m policy --dir in --pol ipsec -p udp --dport 4789");
            host.run("iptables -w -A INPUT -m policy --dir in --pol none -p udp --dport 4789 -j DROP");
            DatagramSocket socket = host.within(() -> new DatagramSocket(Wanted.PORT));
            // Long enough that only what never comes is missed.
            socket.setSoTimeout(30_000);
            return new Station(host, xfrm, socket, ends, other);
        }

        void sendTo(Station receiver, int number) throws Exception {
            byte[] octets = ByteBuffer.allocate(Integer.BYTES).putInt(number).array();
            socket.send(new DatagramPacket(octets, octets.length, other.bind(), Wanted.PORT));
            DatagramPacket packet = new DatagramPacket(new byte[64], 64);
            receiver.socket.receive(packet);
            assertThat(ByteBuffer.wrap(packet.getData()).getInt()).isEqualTo(number);
        }

        void receivedSealed(int datagrams) {
            assertThat(host.run("iptables -L INPUT -v -x -n"))
                    .containsPattern("\\s" + datagrams + "\\s+\\d+ .*policy match dir in pol ipsec")
                    .containsPattern("\\s0\\s+0 DROP");
        }
    }

    /** Course of events on two hosts that seal to each other under a ring. */
    private interface Play {
        void play(Station here, Station there, KeyRing ring) throws Exception;
    }

    private void onTwoHosts(Play play) throws Exception {
        try (TestHost otherHost = new TestHost(folder.resolve("other"));
                Xfrm otherXfrm = Xfrm.in(otherHost.namespace())) {
            host.run("ip link add wire type veth peer name wire netns " + folder.resolve("other"));
            NodeAddresses home = Action.home(0, false);
            NodeAddresses away = Action.home(1, false);
            Station here = Station.on(host, xfrm, home, away);
            Station there = Station.on(otherHost, otherXfrm, away, home);
            try (DatagramSocket _ = here.socket(); DatagramSocket _ = there.socket()) {
                KeyRing ring = new KeyRing(List.of(Action.key(1, 0), Action.key(2, 0), Action.key(3, 0)));
                for (Station station : List.of(here, there)) {
                    assertThat(station.xfrm().apply(List.copyOf(station.steps(KeyRing.EMPTY, ring)))).isEmpty();
                }
                play.play(here, there, ring);
            }
        }
    }

    /** Returns the ring after a rotation with this number. */
    private static KeyRing rotated(KeyRing ring, int rotation) {
        return new Action.Rotate(Action.key(3 + rotation, 0))
                .asks(0, new Wanted(Action.home(0, false), ring, Set.of(), true))
                .ring();
    }

    /**
     * The hosts take the steps of the same rotation, each its own, mixed at random; after each one a datagram goes each
     * way. Every one arrives, sealed.
     */
    @Test
    void rotationLosesNoDatagramAndSendsNoneInClear() throws Exception {
        Random random = new Random(1);
        onTwoHosts((here, there, first) -> {
            KeyRing ring = first;
            int datagrams = 0;
            for (int rotation = 1; rotation <= ROTATIONS; rotation++) {
                KeyRing next = rotated(ring, rotation);
                Deque<XfrmChange> stepsHere = here.steps(ring, next);
                Deque<XfrmChange> stepsThere = there.steps(ring, next);
                while (!stepsHere.isEmpty() || !stepsThere.isEmpty()) {
                    boolean atHome = stepsThere.isEmpty() || !stepsHere.isEmpty() && random.nextBoolean();
                    Station station = atHome ? here : there;
                    XfrmChange step = (atHome ? stepsHere : stepsThere).removeFirst();
                    assertThat(station.xfrm().apply(List.of(step))).isEmpty();
                    here.sendTo(there, ++datagrams);
                    there.sendTo(here, datagrams);
                }
                ring = next;
            }
            here.receivedSealed(datagrams);
            there.receivedSealed(datagrams);
            assertThat(Held.in(xfrm).otherThan(Held.of(here.plan(ring)))).isEmpty();
        });
    }

    /** What has chosen its state when a rotation takes that away is sealed all the same. */
    @Test
    void losesNoDatagramInFlightWhenItsStateIsRemoved() throws Exception {
        onTwoHosts((here, there, first) -> {
            try (Flood thither = Flood.start(here); Flood hither = Flood.start(there)) {
                KeyRing ring = first;
                for (int rotation = 1; rotation <= ROTATIONS_IN_A_FLOOD; rotation++) {
                    KeyRing next = rotated(ring, rotation);
                    for (Station station : List.of(here, there)) {
                        assertThat(station.xfrm().apply(List.copyOf(station.steps(ring, next)))).isEmpty();
                    }
                    ring = next;
                }
                assertThat(List.of(thither, hither)).allMatch(flood -> flood.sent().get() > ROTATIONS_IN_A_FLOOD);
            }
            // What the kernel dropped, whichever way and for whatever reason: it counts them.
            for (Station each : List.of(here, there)) {
                assertThat(each.host().run("cat /proc/self/net/xfrm_stat").lines()).isNotEmpty().allMatch(line -> line.matches("\\w+\\s+0"));
            }
        });
    }

    /** Datagrams from a host to the other, as many as can be, until it is closed. */
    private record Flood(Thread thread, AtomicBoolean runs, AtomicLong sent) implements AutoCloseable {
        static Flood start(Station from) {
            AtomicBoolean runs = new AtomicBoolean(true);
            AtomicLong sent = new AtomicLong();
            DatagramPacket packet = new DatagramPacket(new byte[1], 1, from.other().bind(), Wanted.PORT);
            return new Flood(Thread.ofPlatform().start(() -> {
                while (runs.get()) {
                    try {
                        from.socket().send(packet);
                        sent.incrementAndGet();
                    } catch (IOException dropped) {
                        // Which the kernel counts.
                    }
                }
            }), runs, sent);
        }

        @Override
        public void close() throws InterruptedException {
            runs.set(false);
            thread.join();
        }
    }
}
