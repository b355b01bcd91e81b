package io.vxseal.engine;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.unixdomain.server.UnixDomainServerConnector;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.component.LifeCycle;

/** An engine's API as far as the plugin asks it, on a Unix socket: a server that answers well, or one that writes any octets. */
public final class TestEngine implements AutoCloseable {
    /** What the engine says of a request that only managers answer. */
    static final String NO_MANAGER = "{\"message\":\"This node is not a swarm manager.\"}";

    /** Answers by path. */
    private final Map<String, Answer> answers = new ConcurrentHashMap<>();
    private final List<String> asked = new CopyOnWriteArrayList<>();
    private final Server server = new Server();

    private record Answer(int status, String body) {}

    /** Listens on a socket. */
    public TestEngine(Path socket) throws Exception {
        UnixDomainServerConnector connector = new UnixDomainServerConnector(server);
        connector.setUnixDomainPath(socket);
        server.addConnector(connector);
        server.setHandler(new Handler.Abstract() {
            @Override
            public boolean handle(Request request, Response response, Callback callback) {
                asked.add(request.getHttpURI().getPathQuery());
                Answer answer = answers.getOrDefault(request.getHttpURI().getPath(), new Answer(404, "{\"message\":\"page not found\"}"));
                response.setStatus(answer.status);
                response.getHeaders().put(HttpHeader.CONTENT_TYPE, "application/json");
                Content.Sink.write(response, true, answer.body, callback);
                return true;
            }
        });
        server.start();
    }

    /** Answers like that from now on. */
    public void answer(String path, int status, String body) {
        answers.put(path, new Answer(status, body));
    }

    /** Returns paths and queries of all requests so far. */
    public List<String> asked() {
        return asked;
    }

    @Override
    public void close() {
        LifeCycle.stop(server);
    }

    /** Writes to a connection after it received a request. */
    interface Writing {
        void write(SocketChannel connection) throws IOException;

        /** Writes these octets. */
        static Writing of(byte[] octets) {
            return connection -> {
                for (ByteBuffer rest = ByteBuffer.wrap(octets); rest.hasRemaining(); ) {
                    connection.write(rest);
                }
            };
        }

        /** Writes a text. */
        static Writing of(String text) {
            return of(text.getBytes(StandardCharsets.ISO_8859_1));
        }
    }

    /** Listens on a socket, and writes to each connection, which ends then. */
    static AutoCloseable writing(Path socket, Writing writing) throws IOException {
        ServerSocketChannel listening = ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(socket));
        Thread.ofPlatform().daemon().start(() -> {
            while (listening.isOpen()) {
                try {
                    SocketChannel connection = listening.accept();
                    Thread.ofPlatform().daemon().start(() -> serve(connection, writing));
                } catch (IOException e) {
                    if (listening.isOpen()) {
                        throw new UncheckedIOException(e);
                    }
                }
            }
        });
        return listening;
    }

    private static void serve(SocketChannel connection, Writing writing) {
        try (connection) {
            StringBuilder request = new StringBuilder();
            ByteBuffer octets = ByteBuffer.allocate(1024);
            while (request.indexOf("\r\n\r\n") < 0 && connection.read(octets.clear()) > 0) {
                request.append(StandardCharsets.ISO_8859_1.decode(octets.flip()));
            }
            writing.write(connection);
        } catch (IOException _) {
            // The client had enough.
        }
    }
}
