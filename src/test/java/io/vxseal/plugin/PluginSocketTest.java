package io.vxseal.plugin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.vxseal.overlay.DriverException;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PluginSocketTest {
    private static final Duration JETTYS_IDLE_TIMEOUT = Duration.ofSeconds(30);
    private static final String REASON = "there is no driver in this test";

    @TempDir
    private Path folder;

    private Path path() {
        return folder.resolve("plugins/vxseal.sock");
    }

    private static PluginServer serve(Path path) throws IOException {
        return PluginServer.start(
                PluginSocket.at(path), CompletableFuture.failedFuture(DriverException.conflict(REASON)));
    }

    private void assertAnswers() throws IOException {
        assertThat(new EngineClient(path()).call("GetCapabilities", "{}").error()).isEqualTo(REASON);
    }

    @Test
    void isBoundByTheServerForItsOwnerAlone() throws IOException {
        try (PluginServer server = serve(path())) {
            assertAnswers();
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path()))).isEqualTo("rw-------");
        }
        assertThat(path()).doesNotExist();
    }

    /** The engine keeps a connection and never closes it. */
    @Test
    void answersOnAConnectionThatWasIdleLongerThanServersUsuallyWait() throws IOException, InterruptedException {
        try (PluginServer server = serve(path());
                SocketChannel engine = SocketChannel.open(UnixDomainSocketAddress.of(path()))) {
            assertThat(ask(engine)).contains(REASON);
            Thread.sleep(JETTYS_IDLE_TIMEOUT.plusSeconds(2));
            assertThat(ask(engine)).contains(REASON);
        }
    }

    private static String ask(SocketChannel connection) throws IOException {
        String request = "POST /NetworkDriver.AllocateNetwork HTTP/1.1\r\nHost: plugin\r\nContent-Length: 2\r\n\r\n{}";
        connection.write(ByteBuffer.wrap(request.getBytes(StandardCharsets.US_ASCII)));
        ByteBuffer answer = ByteBuffer.allocate(4096);
        String text = "";
        while (!text.endsWith("}") && connection.read(answer) >= 0) {
            text = new String(answer.array(), 0, answer.position(), StandardCharsets.US_ASCII);
        }
        return text;
    }

    /** Binds as the launcher does in the image, there with s6-ipcserver-socketbinder. */
    private static final String BIND_AND_RUN = """
            use Socket;
            socket(BOUND, AF_UNIX, SOCK_STREAM, 0) and bind(BOUND, sockaddr_un(shift)) and listen(BOUND, 8) or die $!;
            open(STDIN, "+<&", BOUND) or die $!;
            exec @ARGV""";

    /** Serves until it is killed. */
    static final class Server {
        static void main(String[] words) throws IOException, InterruptedException {
            try (PluginServer server = serve(Path.of(words[0]))) {
                Thread.currentThread().join();
            }
        }
    }

    @Test
    void isInheritedFromTheLauncher() throws IOException, InterruptedException {
        Files.createDirectories(path().getParent());
        Process process = new ProcessBuilder("perl", "-e", BIND_AND_RUN, path().toString(),
                Path.of(System.getProperty("java.home"), "bin/java").toString(),
                "-cp", System.getProperty("java.class.path"), Server.class.getName(), path().toString()).inheritIO().start();
        try {
            dialUntilItListens(process);
            Object bound = Files.getAttribute(path(), "unix:ino");
            assertAnswers();
            assertThat(Files.getAttribute(path(), "unix:ino")).as("the socket that the launcher bound").isEqualTo(bound);
        } finally {
            process.destroyForcibly().waitFor();
        }
    }

    private void dialUntilItListens(Process process) {
        await("a dial of the socket").pollInterval(Duration.ofMillis(1)).failFast(() -> !process.isAlive()).until(this::listens);
    }

    private boolean listens() {
        try (SocketChannel dial = SocketChannel.open(UnixDomainSocketAddress.of(path()))) {
            return true;
        } catch (IOException notYet) {
            return false;
        }
    }

    @Test
    void replacesASocketThatADeadProcessLeft() throws IOException {
        Files.createDirectories(path().getParent());
        try (ServerSocketChannel dead = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            dead.bind(UnixDomainSocketAddress.of(path()));
        }
        assertThat(path()).exists();
        try (PluginServer server = serve(path())) {
            assertAnswers();
        }
    }

    @Test
    void refusesASocketThatALivingProcessListensOn() throws IOException {
        try (PluginServer server = serve(path())) {
            assertThatThrownBy(() -> PluginSocket.at(path()))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("another process is listening on " + path());
        }
    }
}
