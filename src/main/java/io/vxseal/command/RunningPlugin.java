package io.vxseal.command;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import jnr.unixsocket.UnixSocketAddress;
import jnr.unixsocket.UnixSocketChannel;
import picocli.CommandLine;

/** Client of the plugin that runs on this host, over its socket. */
final class RunningPlugin {
    private static final String REMEDY = "is the plugin enabled (docker plugin ls), and is this root?";
    private static final String HTTP = "HTTP/1.1 ";

    /** Time for an answer, of which a hub may take eight seconds for the other nodes'. */
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    @CommandLine.Option(
            names = "--socket",
            description = "The plugin's socket. Without it: $VXSEAL_SOCKET, or /run/docker/plugins/vxseal.sock, or that "
                    + "of the one plugin installed, /run/docker/plugins/*/vxseal.sock or where the engine says that it is.",
            paramLabel = "PATH")
    private Optional<Path> socket = Optional.empty();

    /** Why no socket was found. */
    private Optional<IOException> absent = Optional.empty();

    /**
     * Sends a request.
     *
     * @param accept media type of the answer
     * @return the answer's body
     * @throws IOException if the plugin does not answer or refuses; the message is for the operator
     */
    String ask(String method, String path, String accept) throws IOException {
        Path target = target();
        String answer = exchange(target, method, path, accept);
        int body = answer.indexOf("\r\n\r\n");
        if (!answer.startsWith(HTTP) || body < 0) {
            throw new IOException("no HTTP answer from %s: is it the plugin's socket?".formatted(target));
        }
        String text = answer.substring(body + 4);
        if (answer.charAt(HTTP.length()) != '2') {
            throw new IOException(refusal(text).orElseGet(() -> answer.lines().findFirst().orElseThrow()));
        }
        return text;
    }

    /** Returns the plugin's socket; empty if none is found. */
    Optional<Path> socket() {
        locate();
        return socket;
    }

    private Path target() throws IOException {
        locate();
        return socket.orElseThrow(() -> absent.orElseThrow());
    }

    /** Looks for the plugin's socket, once: one that comes while a command runs would give half of the answers. */
    private void locate() {
        if (socket.isPresent() || absent.isPresent()) {
            return;
        }
        try {
            socket = Optional.of(find(System.getenv(), Installation.PLUGINS));
        } catch (IOException none) {
            absent = Optional.of(none);
        }
    }

    /** Exchanges a request for an answer; a plugin that accepts connections and does not answer is not waited for without end. */
    private static String exchange(Path socket, String method, String path, String accept) throws IOException {
        CompletableFuture<String> answer = new CompletableFuture<>();
        Thread.ofPlatform().daemon().start(() -> {
            try {
                answer.complete(exchangeNow(socket, method, path, accept));
            } catch (IOException | RuntimeException failure) {
                answer.completeExceptionally(failure);
            }
        });
        try {
            return answer.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
        } catch (TimeoutException silent) {
            throw new IOException("no answer from the plugin at %s within %d s: see its log".formatted(socket, PATIENCE.toSeconds()), silent);
        } catch (ExecutionException failed) {
            if (failed.getCause() instanceof IOException failure) {
                throw failure;
            }
            throw new IOException("cannot ask the plugin at %s: %s".formatted(socket, failed.getCause()), failed);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", interrupted);
        }
    }

    /** Exchanges a request for an answer, which ends where the connection does (HTTP/1.0). The server requires a host, of any name. */
    private static String exchangeNow(Path socket, String method, String path, String accept) throws IOException {
        try (UnixSocketChannel channel = UnixSocketChannel.open(new UnixSocketAddress(socket.toFile()))) {
            Channels.newOutputStream(channel).write(request(method, path, accept));
            return new String(Channels.newInputStream(channel).readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException failure) {
            throw new IOException(
                    "cannot ask the plugin at %s: %s: %s".formatted(socket, failure.getMessage(), REMEDY), failure);
        }
    }

    /**
     * Follows what the plugin sends until it ends the connection.
     *
     * @param path answered with server-sent events
     * @param line takes each line of the answer's body
     * @throws IOException if the plugin does not answer or refuses; the message is for the operator
     */
    void follow(String path, Consumer<String> line) throws IOException {
        Path target = target();
        try (UnixSocketChannel channel = UnixSocketChannel.open(new UnixSocketAddress(target.toFile()));
                BufferedReader answer = new BufferedReader(
                        new InputStreamReader(Channels.newInputStream(channel), StandardCharsets.UTF_8))) {
            Channels.newOutputStream(channel).write(request("GET", path, "text/event-stream"));
            String status = String.valueOf(answer.readLine());
            if (!status.startsWith(HTTP + "200")) {
                throw new IOException("no events from %s: %s".formatted(target, status));
            }
            boolean inBody = false;
            for (String read = answer.readLine(); read != null; read = answer.readLine()) {
                if (inBody) {
                    line.accept(read);
                }
                inBody |= read.isEmpty();
            }
        }
    }

    private static byte[] request(String method, String path, String accept) {
        return "%s %s HTTP/1.0\r\nHost: plugin\r\nAccept: %s\r\nContent-Length: 0\r\n\r\n"
                .formatted(method, path, accept)
                .getBytes(StandardCharsets.US_ASCII);
    }

    private static Optional<String> refusal(String body) {
        try {
            return Optional.of(new ObjectMapper().readTree(body).path("Err").asText()).filter(text -> !text.isEmpty());
        } catch (JsonProcessingException notOurs) {
            return Optional.empty();
        }
    }

    /** Returns the plugin's socket: as the environment has it, or the one that exists. */
    static Path find(Map<String, String> environment, Path folder) throws IOException {
        String configured = environment.getOrDefault("VXSEAL_SOCKET", "");
        if (!configured.isEmpty()) {
            return Path.of(configured);
        }
        Path own = folder.resolve(Installation.SOCKET);
        if (Files.exists(own)) {
            return own;
        }
        List<Path> managed = new ArrayList<>();
        if (Files.isReadable(folder)) {
            try (DirectoryStream<Path> plugins = Files.newDirectoryStream(folder, Files::isDirectory)) {
                for (Path plugin : plugins) {
                    if (Files.exists(plugin.resolve(Installation.SOCKET))) {
                        managed.add(plugin.resolve(Installation.SOCKET));
                    }
                }
            }
        }
        return switch (managed.size()) {
            case 1 -> managed.getFirst();
            case 0 -> Installation.socket(environment).filter(Files::exists).orElseThrow(() -> new IOException(
                    "no socket of the plugin found: $VXSEAL_SOCKET is not set, and neither %s nor %s exists: %s"
                            .formatted(own, folder.resolve("*").resolve(Installation.SOCKET), REMEDY)));
            default -> throw new IOException("more than one plugin has a socket on this host: choose one with --socket: %s"
                    .formatted(managed.stream().sorted().toList()));
        };
    }
}
