package io.vxseal.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vxseal.engine.TestEngine.Writing;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(120)
class EngineApiTest {
    private static final long SEED = 20_130_320;
    private static final Duration LONG = Duration.ofSeconds(60);
    private static final String ONE = "1oneoneoneoneoneoneoneone";
    private static final String TWO = "2twotwotwotwotwotwotwotwo";
    private static final String NODES = """
            [{"ID":"%s","Version":{"Index":9},"Spec":{"Role":"manager","Labels":{}},"Status":{"State":"ready"},"ManagerStatus":{"Leader":true}},
             {"ID":"%s","Spec":{"Role":"worker"},"Status":{"State":"down"}}]
            """.formatted(ONE, TWO);

    @TempDir
    private Path folder;

    private Path socket;
    private EngineApi api;

    @BeforeEach
    void open() {
        socket = folder.resolve("engine.sock");
        api = new EngineApi(socket, EngineApi.MOST_OCTETS, LONG);
    }

    @AfterEach
    void close() {
        api.close();
    }

    /** Answers the request for nodes with octets of a test's own. */
    private AutoCloseable engineWriting(String text) throws IOException {
        return TestEngine.writing(socket, Writing.of(text));
    }

    private static String ok(String body) {
        return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s".formatted(body.length(), body);
    }

    @Test
    void readsWhatTheEngineKnows() throws Exception {
        try (TestEngine engine = new TestEngine(socket)) {
            engine.answer("/swarm/unlockkey", 200, "{\"UnlockKey\":\"SWMKEY-1-abc\"}\n");
            engine.answer("/nodes", 200, NODES);
            engine.answer("/networks", 200, """
                    [{"Name":"ingress","Id":"a","Scope":"swarm","Driver":"overlay"},{"Name":"my-net","Id":"b","Driver":"vxseal:latest"}]""");
            assertThat(api.unlockKey()).isEqualTo("SWMKEY-1-abc");
            assertThat(api.nodes()).isEqualTo(Set.of(ONE, TWO));
            assertThat(api.networkNames(LONG)).isEqualTo(Map.of("a", "ingress", "b", "my-net"));
            assertThat(engine.asked()).containsExactly("/swarm/unlockkey", "/nodes",
                    "/networks?filters=%7B%22scope%22%3A%7B%22swarm%22%3Atrue%7D%7D");
        }
    }

    @Test
    void readsWhatTheEngineHasOnThisHost() throws Exception {
        try (TestEngine engine = new TestEngine(socket)) {
            engine.answer("/info", 200, "{\"ID\":\"x\",\"DockerRootDir\":\"/data\"}");
            engine.answer("/plugins", 200, """
                    [{"Config":{"Interface":{"Socket":"one.sock"}},"Enabled":true,"Id":"5f0c","Name":"one:latest","Settings":{"Env":["A=1=2","B","C="],
                    "Mounts":[{"Name":"run","Source":"/run"},{"Name":"gone","Source":null}]}},
                    {"Config":{"Interface":{}},"Id":"a1b2","Settings":{"Env":null}}]""");
            assertThat(api.dataRoot()).isEqualTo(Path.of("/data"));
            assertThat(api.plugins()).containsExactly(
                    new InstalledPlugin("5f0c", true, "one.sock", Map.of("A", "1=2", "B", "", "C", "", "run.source", "/run", "gone.source", "")),
                    new InstalledPlugin("a1b2", false, "", Map.of()));
            for (String unfit : List.of("[null]", "[{}]", "[{\"Id\":\"x\",\"Config\":{},\"Settings\":{\"Env\":[null]}}]")) {
                engine.answer("/plugins", 200, unfit);
                assertThatThrownBy(api::plugins).as(unfit).isInstanceOf(IOException.class).hasMessageContaining("not of the form");
            }
        }
    }

    @Test
    void readsListOfTenThousandNodes() throws Exception {
        StringBuilder list = new StringBuilder("[");
        String more = ",\"Description\":{\"Engine\":{\"Plugins\":[\"%s\"]}}}".formatted("p".repeat(4000));
        for (int i = 0; i < 10_000; i++) {
            list.append(i == 0 ? "" : ",").append("{\"ID\":\"%025d\"".formatted(i)).append(more);
        }
        try (TestEngine engine = new TestEngine(socket)) {
            engine.answer("/nodes", 200, list.append(']').toString());
            assertThat(api.nodes()).hasSize(10_000);
        }
    }

    @Test
    void saysWhyTheEngineRefuses() throws Exception {
        try (TestEngine engine = new TestEngine(socket)) {
            engine.answer("/nodes", 503, TestEngine.NO_MANAGER);
            engine.answer("/networks", 500, "<p>\n\u001b[31mnot JSON</p>");
            assertThatThrownBy(api::nodes).isInstanceOf(IOException.class).hasMessage("it answers 503: This node is not a swarm manager.");
            assertThatThrownBy(() -> api.networkNames(LONG)).isInstanceOf(IOException.class).hasMessage("it answers 500: <p> [31mnot JSON</p>");
            // An error does not stand in the way of what follows.
            engine.answer("/nodes", 200, NODES);
            assertThat(api.nodes()).hasSize(2);
        }
    }

    @Test
    void engineMayBeRestartedInBetween() throws Exception {
        assertThatThrownBy(api::nodes).isInstanceOf(IOException.class).message().isNotEmpty();
        for (int start = 0; start < 2; start++) {
            try (TestEngine engine = new TestEngine(socket)) {
                engine.answer("/nodes", 200, NODES);
                assertThat(api.nodes()).hasSize(2);
            }
            assertThatThrownBy(api::nodes).isInstanceOf(IOException.class);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "garbage", "[]x", "{}", "{\"message\":\"no\"}", "null", "[null]", "[{}]", "[{\"ID\":null}]", "[{\"ID\":\"short\"}]",
        "[{\"ID\":5}]", "[{\"ID\":[]}]", "[{\"ID\":\"1oneoneoneoneoneoneoneone\"}", "[{\"ID\":\"1oneoneoneoneoneoneoneone\"},", "[[]]"})
    void takesOnlyWholeListOfIds(String body) throws Exception {
        try (AutoCloseable _ = engineWriting(ok(body))) {
            assertThatThrownBy(api::nodes).isInstanceOf(IOException.class).hasMessage("its answer is not of the form that engines give");
        }
    }

    @Test
    void listThatTheConnectionCutsIsNone() throws Exception {
        String whole = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "23\r\n[{\"ID\":\"%s\"}\r\n1\r\n]\r\n0\r\n\r\n".formatted(ONE);
        AtomicReference<String> written = new AtomicReference<>(whole);
        try (AutoCloseable _ = TestEngine.writing(socket, connection -> Writing.of(written.get()).write(connection))) {
            assertThat(api.nodes()).containsExactly(ONE);
            // Also behind the list, before the end of the body.
            for (int length = 0; length < whole.length() - 2; length++) {
                written.set(whole.substring(0, length));
                assertThatThrownBy(api::nodes).as("the first %d octets", length).isInstanceOf(IOException.class);
            }
        }
    }

    @Test
    void mutatedAnswerIsRefusedOrHasIds() throws Exception {
        System.out.println("EngineApiTest seed " + SEED);
        Random random = new Random(SEED);
        byte[] whole = ok(NODES).getBytes(StandardCharsets.ISO_8859_1);
        AtomicReference<byte[]> written = new AtomicReference<>();
        try (AutoCloseable _ = TestEngine.writing(socket, connection -> Writing.of(written.get()).write(connection))) {
            for (int round = 0; round < 1000; round++) {
                byte[] mutated = whole.clone();
                for (int changes = 1 + random.nextInt(3); changes > 0; changes--) {
                    mutated[random.nextInt(mutated.length)] = (byte) random.nextInt();
                }
                written.set(mutated);
                try {
                    assertThat(api.nodes()).hasSizeLessThanOrEqualTo(2).allMatch(id -> id.matches("[0-9a-z]{25}"));
                } catch (IOException e) {
                    assertThat(e.getMessage()).isNotEmpty();
                }
            }
        }
    }

    @Test
    void endlessAnswerIsNotReadToItsEnd() throws Exception {
        try (EngineApi bounded = new EngineApi(socket, 1 << 20, LONG);
                AutoCloseable _ = TestEngine.writing(socket, connection -> {
                    Writing.of("HTTP/1.1 200 OK\r\n\r\n[").write(connection);
                    while (true) {
                        Writing.of(" ".repeat(8192)).write(connection);
                    }
                })) {
            assertThatThrownBy(bounded::nodes).isInstanceOf(IOException.class).hasMessage("its answer has more than 1048576 octets");
        }
    }

    @Test
    void answerThatIsTooBigWithinElementIsNotReadToItsEnd() throws Exception {
        try (EngineApi bounded = new EngineApi(socket, 1 << 20, LONG);
                AutoCloseable _ = engineWriting(ok("[{\"ID\":\"" + ONE + "\",\"x\":[" + "1,".repeat(1 << 20) + "1]}]"))) {
            assertThatThrownBy(bounded::nodes).isInstanceOf(IOException.class).hasMessage("its answer has more than 1048576 octets");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n[", "HTTP/1.1 503 No\r\nContent-Length: 1000\r\n\r\n"})
    void engineThatFallsSilentIsNotWaitedForWithoutEnd(String start) throws Exception {
        try (EngineApi impatient = new EngineApi(socket, 1 << 20, Duration.ofMillis(300));
                AutoCloseable _ = TestEngine.writing(socket, connection -> {
                    Writing.of(start).write(connection);
                    connection.read(ByteBuffer.allocate(1));
                })) {
            assertThatThrownBy(impatient::nodes).isInstanceOf(IOException.class);
            assertThatThrownBy(() -> impatient.networkNames(Duration.ofMillis(300))).isInstanceOf(IOException.class);
        }
    }

    @Test
    void engineThatWritesAnOctetNowAndThenIsNotWaitedForWithoutEnd() throws Exception {
        try (EngineApi impatient = new EngineApi(socket, 1 << 20, Duration.ofMillis(500));
                AutoCloseable _ = TestEngine.writing(socket, connection -> {
                    Writing.of("HTTP/1.1 200 OK\r\n\r\n[").write(connection);
                    while (true) {
                        Writing.of(" ").write(connection);
                        pause();
                    }
                })) {
            assertThatThrownBy(impatient::nodes).isInstanceOf(IOException.class);
        }
    }

    private static void pause() {
        try {
            Thread.sleep(20);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"SWMKEY-1-secret", "{\"UnlockKey\":SWMKEY-1-secret}", "{\"UnlockKey\":\"SWMKEY-1-secret\"", "{\"UnlockKey\":{\"secret\":\"SWMKEY-1-secret\"}}",
        "{\"UnlockKey\":\"SWMKEY-1-secret\"}secret", "\"SWMKEY-1-secret\""})
    void unlockKeyIsInNoMessage(String body) throws Exception {
        try (AutoCloseable _ = engineWriting(ok(body))) {
            assertThatThrownBy(api::unlockKey).isInstanceOf(IOException.class).hasNoCause().message().doesNotContain("SWMKEY", "secret");
        }
    }

    @Test
    void onlySocketCounts() throws Exception {
        assertThat(EngineApi.isSocket(Path.of("/dev/null"))).isFalse();
        assertThat(EngineApi.isSocket(socket)).isFalse();
        assertThat(EngineApi.isSocket(folder)).isFalse();
        assertThat(EngineApi.isSocket(Files.createFile(folder.resolve("file")))).isFalse();
        try (TestEngine _ = new TestEngine(socket)) {
            assertThat(EngineApi.isSocket(socket)).isTrue();
            assertThat(EngineApi.isSocket(Files.createSymbolicLink(folder.resolve("link"), socket))).isTrue();
        }
    }

    /** An operator who mounts a file or a folder means the socket. */
    @Test
    void whatIsMountedInPlaceOfSocketIsToldUnlessItIsNull() throws Exception {
        assertThat(EngineApi.mistake(Path.of("/dev/null"))).isEmpty();
        assertThat(EngineApi.mistake(socket)).isEmpty();
        assertThat(EngineApi.mistake(folder)).hasValueSatisfying(text -> assertThat(text).contains("engine.source=/run/docker.sock"));
        assertThat(EngineApi.mistake(Files.createFile(folder.resolve("file")))).isPresent();
        try (TestEngine _ = new TestEngine(socket)) {
            assertThat(EngineApi.mistake(socket)).isEmpty();
        }
    }

    @Test
    void namesOfNetworksAreNoneWithoutAnswer() throws Exception {
        NetworkNames names = new NetworkNames(api);
        assertThat(names.get()).isEmpty();
        try (TestEngine engine = new TestEngine(socket)) {
            engine.answer("/networks", 200, "[{\"Name\":\"my-net\",\"Id\":\"b\"}]");
            assertThat(names.get()).isEqualTo(Map.of("b", "my-net"));
        }
    }
}
