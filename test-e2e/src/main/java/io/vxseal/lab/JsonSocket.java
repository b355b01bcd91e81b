package io.vxseal.lab;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * Requests and replies as lines of JSON over a Unix socket, the protocol of QEMU's monitor and of its guest
 * agent. A reply carries its request's id, so a late reply of a request that timed out is
 * not mistaken for another's. One request at a time.
 */
final class JsonSocket implements AutoCloseable {

    private static final ObjectMapper JSON = new ObjectMapper();

    private final String peer;
    private final SocketChannel channel;
    private final BlockingQueue<JsonNode> replies = new LinkedBlockingQueue<>();
    private long lastId;

    private JsonSocket(String peer, SocketChannel channel) {
        this.peer = peer;
        this.channel = channel;
        Thread.ofPlatform().daemon().name(peer).start(this::read);
    }

    /** Connects, and waits for the socket's file to appear. */
    static JsonSocket connect(String peer, Path socket, Duration limit) {
        SocketChannel channel = Await.value(peer + " on " + socket, limit, () -> {
            try {
                SocketChannel attempt = SocketChannel.open(StandardProtocolFamily.UNIX);
                try {
                    attempt.connect(UnixDomainSocketAddress.of(socket));
                    return Optional.of(attempt);
                } catch (IOException e) {
                    attempt.close();
                    return Optional.empty();
                }
            } catch (IOException e) {
                throw new LabException("no socket for " + peer, e);
            }
        });
        return new JsonSocket(peer, channel);
    }

    /** Sends a command and returns the value of its reply; empty when none came in time. */
    synchronized Optional<JsonNode> ask(String command, Map<String, ?> arguments, Duration limit) {
        long id = ++lastId;
        ObjectNode request = JSON.createObjectNode().put("execute", command).put("id", id);
        if (!arguments.isEmpty()) {
            request.set("arguments", JSON.valueToTree(arguments));
        }
        try {
            ByteBuffer bytes = ByteBuffer.wrap((request + "\n").getBytes(StandardCharsets.UTF_8));
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
        } catch (IOException e) {
            throw new LabException(peer + " is gone; asked for " + command + ": " + e.getMessage(), e);
        }
        return reply(id, command, limit);
    }

    private Optional<JsonNode> reply(long id, String command, Duration limit) {
        long end = System.nanoTime() + limit.toNanos();
        try {
            while (true) {
                JsonNode reply = replies.poll(end - System.nanoTime(), TimeUnit.NANOSECONDS);
                if (reply == null) {
                    return Optional.empty();
                }
                if (reply.path("id").asLong() != id) {
                    continue;
                }
                if (reply.has("error")) {
                    throw new LabException(peer + " refused " + command + ": " + reply.get("error").path("desc").asText());
                }
                return Optional.of(reply.path("return"));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new LabException("interrupted while waiting for " + peer, e);
        }
    }

    private void read() {
        try (var lines = new BufferedReader(Channels.newReader(channel, StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                replies.add(JSON.readTree(line));
            }
        } catch (IOException e) {
            // Closed, by this program or with the guest: the wait for a reply times out.
        }
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            // It is not used any more.
        }
    }
}
