package io.vxseal.plugin;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.eclipse.jetty.unixdomain.server.UnixDomainServerConnector;

/**
 * The plugin's Unix socket. In the image the launcher binds it before there is a JVM, and passes it on as standard input;
 * elsewhere the server binds it.
 *
 * <p>The engine dials 0.5, 3.5, 6.5 and 9.5 s after it started the process and then gives up, and the plugin is disabled
 * until somebody enables it. On a loaded host a JVM can take longer than that to start. A dial needs only a listening
 * socket; requests wait in its queue.
 */
public final class PluginSocket {
    /** Connections that wait while the server loads; the engine opens a few. */
    private static final int BACKLOG = 128;

    /**
     * The engine keeps its connections open, however long it has nothing to send. If the server closed one just as the engine sends a call
     * on it, the engine would repeat the call without its body (moby #39331), and a network whose allocation fails like that has none for
     * five minutes (swarmkit, {@code allocator}).
     */
    private static final int NEVER = 0;

    private final Path path;
    private final boolean inherited;

    private PluginSocket(Path path, boolean inherited) {
        this.path = path;
        this.inherited = inherited;
    }

    /**
     * Finds the socket that the launcher has bound. If there is none, removes a socket that a dead process left, so that
     * the server can bind the path.
     *
     * @throws IOException if another process is listening there, or the folder cannot be created
     */
    public static PluginSocket at(Path path) throws IOException {
        UnixDomainSocketAddress address = UnixDomainSocketAddress.of(path);
        if (System.inheritedChannel() instanceof ServerSocketChannel bound && address.equals(bound.getLocalAddress())) {
            return new PluginSocket(path, true);
        }
        if (Files.exists(path)) {
            if (answers(address)) {
                throw new IOException("another process is listening on " + path + ": stop it first");
            }
            Files.delete(path);
        }
        Files.createDirectories(path.toAbsolutePath().getParent());
        return new PluginSocket(path, false);
    }

    private static boolean answers(UnixDomainSocketAddress address) {
        try (SocketChannel probe = SocketChannel.open(address)) {
            return probe.isConnected();
        } catch (IOException refused) {
            return false;
        }
    }

    /** Makes a connector listen on this socket. The connector removes the path when it stops. */
    void configure(UnixDomainServerConnector connector) {
        connector.setInheritChannel(inherited);
        connector.setUnixDomainPath(path);
        connector.setAcceptQueueSize(BACKLOG);
        connector.setIdleTimeout(NEVER);
    }

    /** Restricts a socket that the server has bound to root. Until then the launcher's umask does. */
    void restrict() {
        if (!inherited) {
            try {
                Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));
            } catch (IOException failure) {
                throw new UncheckedIOException("cannot restrict " + path + " to its owner", failure);
            }
        }
    }
}
