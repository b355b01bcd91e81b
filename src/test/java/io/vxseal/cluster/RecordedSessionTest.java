package io.vxseal.cluster;

import static io.vxseal.cluster.record.TestRecords.NET;
import static io.vxseal.cluster.record.TestRecords.SUBNETS;
import static io.vxseal.cluster.record.TestRecords.endpoint;
import static io.vxseal.cluster.record.TestRecords.vtep;
import static io.vxseal.cluster.record.TestRecords.worker;
import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.cluster.hub.Hub;
import io.vxseal.cluster.hub.RecordStore;
import io.vxseal.cluster.message.ManualTimer;
import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.MessageChannel;
import io.vxseal.cluster.message.MessageCodec;
import io.vxseal.cluster.message.RecordedChannel;
import io.vxseal.cluster.node.ClusterNode;
import io.vxseal.cluster.node.LocalChannel;
import io.vxseal.cluster.node.NodeListener;
import io.vxseal.cluster.record.EndpointRecord;
import io.vxseal.cluster.record.HubView.Retention;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.cluster.record.PathReport;
import io.vxseal.cluster.refusal.Refusal;
import io.vxseal.cluster.refusal.RefusedException;
import io.vxseal.cluster.ring.KeyAuthority;
import io.vxseal.cluster.ring.RingKeeper;
import io.vxseal.cluster.ring.RingStore;
import io.vxseal.cluster.ring.SignedRing;
import io.vxseal.cluster.ring.SimulatedTrust;
import io.vxseal.encryption.KeyRing;
import io.vxseal.peers.Peer;
import io.vxseal.swarm.NodeName;
import io.vxseal.swarm.Role;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.function.Consumer;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

/**
 * Plays a session that was recorded with a release against the present hub and node, so that a swarm is upgraded node by node.
 *
 * <p>Each release adds its own recording: {@code mvn test -Dtest=RecordedSessionTest -Dvxseal.record=src/test/resources/sessions/VERSION.txt}.
 * Each line is a sender, {@code node} or {@code hub}, and a message.
 */
class RecordedSessionTest {
    private static final Path SESSIONS = Path.of("src/test/resources/sessions");
    private static final Retention RETENTION = new Retention(Duration.ofSeconds(26), Duration.ofMinutes(10));
    private static final Duration BATCH = Duration.ofMillis(50);
    private static final Duration SYNCHRONIZE = Duration.ofSeconds(5);
    private static final NodeName WORKER = new NodeName("swarm", Role.WORKER, "w1");
    private static final NodeName MANAGER = new NodeName("swarm", Role.MANAGER, "m1");

    private final ManualTimer timer = new ManualTimer();
    private final List<SignedRing> signatures = SimulatedTrust.none();
    private final RingKeeper managerRing = rings(MANAGER);
    private final RingKeeper workerRing = rings(WORKER);
    private final List<String> refused = new ArrayList<>();
    private final Hub hub = new Hub("m1", 1, RETENTION, timer, "m1"::equals, managerRing, RecordStore.NONE, this::refuse);
    private final List<Peer> peers = new ArrayList<>();
    private final ClusterNode node = new ClusterNode(RETENTION, timer, new Random(1), workerRing, new NodeEvents(), this::refuse);

    private void refuse(Refusal reason, String from, String what) {
        refused.add(from + ": " + what);
    }

    private RingKeeper rings(NodeName name) {
        RingKeeper keeper = new RingKeeper(
                new KeyAuthority(Duration.ofHours(12), Duration.ofSeconds(60), 0, new Random(1)), RingStore.NONE, timer, "m1"::equals,
                new RingKeeper.Events() {
                    @Override
                    public void keys(KeyRing keys) {
                        // The tests ask for the keys.
                    }

                    @Override
                    public void changed() {
                        // The sessions begin after the ring was made.
                    }
                });
        keeper.become(new SimulatedTrust(name, signatures));
        return keeper;
    }

    private final class NodeEvents implements NodeListener {
        @Override
        public void checkPaths(Consumer<Optional<PathReport>> then) {
            then.accept(Optional.empty());
        }

        @Override
        public void changed(List<PeerChange> changes) {
            for (PeerChange change : changes) {
                switch (change) {
                    case PeerChange.Added(var peer) -> peers.add(peer);
                    case PeerChange.Removed(var peer) -> peers.remove(peer);
                }
            }
        }

        @Override
        public void recalled(List<Peer> endpoints, Runnable then) {
            then.run();
        }

        @Override
        public void hubOpened(String opened, long process) {
            throw new AssertionError("a worker feeds no hub");
        }

        @Override
        public void recordsReceived(String other, Message.Records records) {
            throw new AssertionError("a worker feeds no hub");
        }

        @Override
        public void hubClosed(String closed) {
            throw new AssertionError("a worker feeds no hub");
        }
    }

    private static List<Path> recordings() throws IOException {
        try (var files = Files.list(SESSIONS)) {
            return files.sorted().toList();
        }
    }

    private static List<Message> messages(Path recording, String sender, Function<String, String> change) throws IOException, RefusedException {
        List<Message> messages = new ArrayList<>();
        for (String line : Files.readAllLines(recording)) {
            if (line.startsWith(sender + " ")) {
                String json = change.apply(line.substring(sender.length() + 1));
                messages.add(MessageCodec.decode(json.getBytes(StandardCharsets.UTF_8)).orElseThrow(() -> new AssertionError(line)));
            }
        }
        assertThat(messages).as("messages of the %s in %s", sender, recording).isNotEmpty();
        return messages;
    }

    /** Adds a field that no release knows to each object. */
    private static String fromTheFuture(String json) {
        return json.replace("{", "{\"unknown\":[1,{}],").replace("{\"unknown\":[1,{\"unknown\":[1,{}],}],", "{\"unknown\":[1,{}],").replace(",}", "}");
    }

    private static EndpointRecord own() {
        return endpoint("own", 9);
    }

    private static Peer peer(EndpointRecord endpoint, InetAddress at) {
        return new Peer(NET, endpoint.id(), endpoint.address(), endpoint.mac(), at);
    }

    private void makeRing() {
        managerRing.keep(true, true, true, Duration.ofSeconds(10));
        assertThat(managerRing.keys().keys()).isNotEmpty();
    }

    private void playNode(Path recording, Function<String, String> change) throws IOException, RefusedException {
        makeRing();
        timer.pass(SYNCHRONIZE);
        hub.tick();
        RecordedChannel channel = new RecordedChannel("w1", Role.WORKER, timer);
        hub.opened(channel);
        List<Message> answers = new ArrayList<>();
        boolean known = false;
        for (Message message : messages(recording, "node", change)) {
            assertThat(managerRing.isRotationRequested()).as("keys that are replaced before a good-bye").isFalse();
            hub.received(channel, message);
            timer.pass(BATCH);
            answers.addAll(channel.take());
            known |= hub.nodes().stream().map(NodeRecord::networks).flatMap(List::stream)
                    .flatMap(network -> network.endpoints().stream()).anyMatch(endpoint -> endpoint.mac().equals(own().mac()));
        }
        assertThat(refused).isEmpty();
        assertThat(known).as("the hub knew the endpoint that the node announced").isTrue();
        assertThat(answers).extracting(Message::getClass).contains(Message.Welcome.class, Message.Ring.class, Message.Acknowledge.class,
                Message.Heartbeat.class, Message.RecallReply.class);
        assertThat(managerRing.isRotationRequested()).as("keys that are replaced after the good-bye").isTrue();
    }

    private void playHub(Path recording, Function<String, String> change) throws IOException, RefusedException {
        makeRing();
        start(node);
        RecordedChannel channel = new RecordedChannel("m1", Role.MANAGER, timer);
        node.opened(channel, Optional.of(vtep(1)));
        List<Message> said = new ArrayList<>();
        boolean known = false;
        for (Message message : messages(recording, "hub", change)) {
            node.received(channel, message);
            timer.pass(BATCH);
            said.addAll(channel.take());
            known |= peers.equals(List.of(peer(endpoint(7), vtep(3))));
        }
        assertThat(refused).isEmpty();
        assertThat(known).as("the node knew the endpoint that the hub told").isTrue();
        assertThat(peers).as("endpoints after the other node left").isEmpty();
        assertThat(workerRing.keys()).isEqualTo(managerRing.keys());
        assertThat(said).extracting(Message::getClass).contains(Message.Hello.class, Message.Subscribe.class, Message.Announce.class,
                Message.RecallReply.class);
    }

    private static void start(ClusterNode started) {
        started.self(WORKER);
        started.vtep(vtep(2));
        started.subscribe(NET, SUBNETS);
        started.announce(peer(own(), vtep(2)));
    }

    @Test
    void hubServesNodesOfEarlierReleases() throws IOException, RefusedException {
        for (Path recording : recordings()) {
            new RecordedSessionTest().playNode(recording, Function.identity());
        }
    }

    @Test
    void nodeFollowsHubsOfEarlierReleases() throws IOException, RefusedException {
        for (Path recording : recordings()) {
            new RecordedSessionTest().playHub(recording, Function.identity());
        }
    }

    @Test
    void hubServesNodesThatSendUnknownFields() throws IOException, RefusedException {
        for (Path recording : recordings()) {
            new RecordedSessionTest().playNode(recording, RecordedSessionTest::fromTheFuture);
        }
    }

    @Test
    void nodeFollowsHubsThatSendUnknownFields() throws IOException, RefusedException {
        for (Path recording : recordings()) {
            new RecordedSessionTest().playHub(recording, RecordedSessionTest::fromTheFuture);
        }
    }

    /** A change of what is sent is made on purpose, and recorded. */
    @Test
    void sessionIsAsRecordedWithThisRelease() throws IOException {
        List<String> lines = converse();
        String file = System.getProperty("vxseal.record");
        if (file != null) {
            Files.write(Path.of(file), lines);
        }
        assertThat(lines).isEqualTo(Files.readAllLines(recordings().getLast()));
    }

    /** Returns what the present hub and node say to each other. */
    private List<String> converse() {
        List<String> lines = new ArrayList<>();
        makeRing();
        timer.pass(SYNCHRONIZE);
        hub.tick();
        start(node);
        RecordedChannel other = new RecordedChannel("w3", Role.WORKER, timer);
        hub.opened(other);
        hub.received(other, new Message.Hello(managerRing.mark(), false));
        hub.received(other, new Message.Announce(worker("w3", 1, 3, endpoint(7))));
        LocalChannel channel = LocalChannel.pair(WORKER, timer,
                (end, message) -> {
                    lines.add(line("node", message));
                    hub.received(end, message);
                },
                (end, message) -> {
                    lines.add(line("hub", message));
                    node.received(atHub(end), message);
                });
        hub.opened(channel.other());
        node.opened(atHub(channel), Optional.of(vtep(1)));
        timer.pass(BATCH);
        node.ping();
        hub.received(channel.other(), tell(lines, "node", new Message.RecallRequest()));
        node.received(atHub(channel), tell(lines, "hub", new Message.RecallRequest()));
        timer.pass(BATCH);
        hub.received(other, new Message.Goodbye(1, 2));
        timer.pass(BATCH);
        node.away();
        timer.pass(BATCH);
        node.goodbye();
        timer.pass(BATCH);
        return lines;
    }

    private static Message tell(List<String> lines, String sender, Message message) {
        lines.add(line(sender, message));
        return message;
    }

    private static String line(String sender, Message message) {
        return sender + " " + new String(MessageCodec.encode(message), StandardCharsets.UTF_8);
    }

    /** Returns the node's end of a session, whose peer is the hub. */
    private static MessageChannel atHub(MessageChannel end) {
        return new HubEnd(end);
    }

    /** A node's end; equal to others of the same session. */
    private record HubEnd(MessageChannel end) implements MessageChannel {
        @Override
        public NodeName peer() {
            return MANAGER;
        }

        @Override
        public boolean send(Message message) {
            return end.send(message);
        }

        @Override
        public void close(String reason) {
            end.close(reason);
        }

        @Override
        public long lastReceived() {
            return end.lastReceived();
        }
    }
}
