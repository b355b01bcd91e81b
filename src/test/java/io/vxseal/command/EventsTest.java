package io.vxseal.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.vxseal.StandardError;
import io.vxseal.journal.Event;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The events of a plugin that is alone in its swarm, by the command that follows them. */
@Timeout(150)
class EventsTest {
    @TempDir
    private Path folder;

    private LoneManager manager;

    @BeforeEach
    void start() throws Exception {
        manager = LoneManager.start(folder);
    }

    @AfterEach
    void stop() {
        manager.close();
    }

    private static List<JsonNode> parse(String lines) throws Exception {
        List<JsonNode> events = new ArrayList<>();
        for (String line : lines.lines().toList()) {
            events.add(new ObjectMapper().readTree(line));
        }
        return events;
    }

    @Test
    void followsNodesHubsKeysAndErrorsOnceEach() throws Exception {
        await("keys").atMost(Duration.ofMinutes(2)).until(() -> manager.driver.clusterStatus().ring().isPresent());
        manager.driver.watch();
        CompletableFuture<LoneManager.Outcome> following =
                CompletableFuture.supplyAsync(() -> manager.run("events --json --last 1000"));
        manager.driver.errors().add("/NetworkDriver.Join", "no such network: 1");
        manager.driver.errors().add("/NetworkDriver.Join", "no such network: 2");
        manager.driver.watch();
        long newest = manager.driver.journal().newest();
        // The follower has its own pace, and a heartbeat after the last event says that it has all.
        await("what was told").pollDelay(Duration.ofSeconds(12)).atMost(Duration.ofSeconds(20)).until(() -> true);
        manager.stopServing();
        LoneManager.Outcome outcome = following.get(20, TimeUnit.SECONDS);
        assertThat(outcome.status()).isEqualTo(1);
        assertThat(outcome.err()).contains("the plugin ended the connection");
        List<JsonNode> events = parse(outcome.out());
        assertThat(events).extracting(event -> event.path("number").asLong())
                .containsExactlyElementsOf(LongStream.rangeClosed(1, newest).boxed().toList());
        assertThat(events).extracting(event -> event.path("kind").asText() + ": " + event.path("text").asText())
                .contains("node_joined: node nodenode (127.0.0.1) joined",
                        "hub_reached: session with the hub of manager nodenode (here) began",
                        "keys: ring 1 by node nodenode is in force",
                        "error: no such network: 1")
                .doesNotContain("error: no such network: 2")
                .doesNotHaveDuplicates();
    }

    @Test
    void printsWhatHappenedBeforeAndEnds() {
        for (int i = 1; i <= 30; i++) {
            manager.driver.journal().add(Event.Kind.REPAIRED, "this host", "repair " + i);
        }
        LoneManager.Outcome outcome = manager.run("events --no-follow --last 3");
        assertThat(outcome.status()).as(outcome.err()).isZero();
        assertThat(outcome.out().lines()).hasSize(3).last().asString()
                .matches("\\d{4}-\\d\\d-\\d\\dT\\S+Z  repaired         repair 30");
    }

    @Test
    void listenerThatLeavesIsNoError() throws Exception {
        try (StandardError log = new StandardError()) {
            try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(manager.socket))) {
                channel.write(ByteBuffer.wrap("GET /events HTTP/1.1\r\nHost: plugin\r\nAccept: text/event-stream\r\n\r\n"
                        .getBytes(StandardCharsets.US_ASCII)));
                ByteBuffer head = ByteBuffer.allocate(4096);
                channel.read(head);
                assertThat(new String(head.array(), 0, head.position(), StandardCharsets.US_ASCII)).startsWith("HTTP/1.1 200");
            }
            for (int i = 0; i < 20; i++) {
                manager.driver.journal().add(Event.Kind.REPAIRED, "", "written to nobody");
                Thread.sleep(20);
            }
            manager.stopServing();
            assertThat(log.said()).doesNotContain("Exception", "failed");
        }
    }

    /** Returns what a client that names the last event it has seen is told first. */
    private String after(String id) throws Exception {
        StringBuilder told = new StringBuilder();
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(manager.socket))) {
            channel.write(ByteBuffer.wrap("GET /events HTTP/1.1\r\nHost: plugin\r\nAccept: text/event-stream\r\nLast-Event-ID: %s\r\n\r\n"
                    .formatted(id).getBytes(StandardCharsets.US_ASCII)));
            ByteBuffer part = ByteBuffer.allocate(4096);
            while (told.indexOf("event 3") < 0 && channel.read(part.clear()) > 0) {
                told.append(StandardCharsets.US_ASCII.decode(part.flip()));
            }
        }
        return told.toString();
    }

    @Test
    void goesOnAfterLastSeenEventOfThisProcessOnly() throws Exception {
        for (int i = 1; i <= 3; i++) {
            manager.driver.journal().add(Event.Kind.REPAIRED, "", "event " + i);
        }
        String own = manager.driver.journal().id();
        assertThat(after(own + "-2")).contains("id: " + own + "-3").doesNotContain("event 2");
        assertThat(after("former-2")).as("events of this process with the numbers of a former one's").contains("event 1", "event 2");
        assertThat(after("2")).contains("event 1");
    }

    @Test
    void refusesNegativeNumber() {
        assertThat(manager.run("events --last -1").status()).isEqualTo(2);
    }
}
