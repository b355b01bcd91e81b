package io.vxseal.plugin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PluginSocketTest {
    @TempDir
    private Path folder;

    @AfterEach
    void close() throws IOException {
        ServerSocketChannel listening = PluginSocket.listening();
        if (listening != null) {
            listening.close();
        }
    }

    private Path socket() {
        return folder.resolve("plugins/vxseal.sock");
    }

    /** The engine's dial is answered while nothing but the JDK is loaded. */
    @Test
    void aDialNeedsNoServer() throws IOException {
        PluginSocket.open(socket());
        try (SocketChannel dial = SocketChannel.open(UnixDomainSocketAddress.of(socket()))) {
            assertThat(dial.isConnected()).isTrue();
        }
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(socket()))).isEqualTo("rw-------");
        assertThat(System.inheritedChannel()).isSameAs(PluginSocket.listening());
    }

    /** What the launcher does in the image, there with s6-ipcserver-socketbinder. */
    private static final String BIND_AND_RUN = """
            use Socket;
            socket(DOOR, AF_UNIX, SOCK_STREAM, 0) and bind(DOOR, sockaddr_un(shift)) and listen(DOOR, 8) or die $!;
            open(STDIN, "+<&", DOOR) or die $!;
            exec @ARGV""";

    /** Opens the door, and answers the first who comes with its address. */
    static final class Opener {
        static void main(String[] words) throws IOException {
            PluginSocket.open(Path.of(words[0]));
            try (SocketChannel first = PluginSocket.listening().accept()) {
                first.write(StandardCharsets.UTF_8.encode(PluginSocket.listening().getLocalAddress().toString()));
            }
        }
    }

    @Test
    void aSocketThatTheLauncherBoundIsTakenOver() throws IOException, InterruptedException {
        Files.createDirectories(socket().getParent());
        Process process = new ProcessBuilder("perl", "-e", BIND_AND_RUN, socket().toString(),
                Path.of(System.getProperty("java.home"), "bin/java").toString(), "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED",
                "-cp", System.getProperty("java.class.path"), Opener.class.getName(), socket().toString()).inheritIO().start();
        try (SocketChannel dial = dialUntilItListens(process)) {
            assertThat(new String(Channels.newInputStream(dial).readAllBytes(), StandardCharsets.UTF_8)).isEqualTo(socket().toString());
        }
        assertThat(process.waitFor()).isZero();
    }

    private SocketChannel dialUntilItListens(Process process) throws IOException, InterruptedException {
        while (true) {
            try {
                return SocketChannel.open(UnixDomainSocketAddress.of(socket()));
            } catch (IOException notYet) {
                if (!process.isAlive()) {
                    throw notYet;
                }
                Thread.sleep(1);
            }
        }
    }

    @Test
    void aSocketThatADeadProcessLeftIsReplaced() throws IOException {
        PluginSocket.open(socket());
        PluginSocket.listening().close();
        assertThat(socket()).exists();
        PluginSocket.open(socket());
        try (SocketChannel dial = SocketChannel.open(UnixDomainSocketAddress.of(socket()))) {
            assertThat(dial.isConnected()).isTrue();
        }
    }

    @Test
    void aSocketThatALivingProcessListensOnIsNot() throws IOException {
        PluginSocket.open(socket());
        assertThatThrownBy(() -> PluginSocket.open(socket()))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("another process is listening on " + socket());
    }
}
