package io.vxseal.plugin;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.jspecify.annotations.Nullable;

/**
 * The plugin's Unix socket, listening before anything else of the process is there.
 *
 * <p>The engine dials 0.5, 3.5, 6.5 and 9.5 s after it started the process and then gives up, and the plugin is disabled
 * until somebody enables it, while on a loaded host the JVM alone can take longer than that. A dial needs only a
 * listening socket; what is asked meanwhile waits in its queue. So in the image the launcher binds the socket before
 * there is a JVM, and gives it on as standard input; elsewhere it is bound here, by the JDK alone.
 * {@link DoorSelectorProvider} hands it on to the server.
 */
public final class PluginSocket {
    /** Connections that wait while the server loads; the engine opens a few. */
    private static final int BACKLOG = 128;

    private static volatile @Nullable ServerSocketChannel listening;
    private static volatile @Nullable Path path;

    private PluginSocket() {}

    /**
     * Takes over the socket if the launcher has bound it; else binds it, mode 0600, and listens. A socket that an earlier
     * process left behind is replaced.
     *
     * @throws IOException if another process is answering there, or the path cannot be bound
     */
    public static void open(Path socket) throws IOException {
        UnixDomainSocketAddress address = UnixDomainSocketAddress.of(socket);
        path = socket;
        if (DoorSelectorProvider.standardInput() instanceof ServerSocketChannel bound && address.equals(bound.getLocalAddress())) {
            listening = bound;
            return;
        }
        if (Files.exists(socket)) {
            if (answers(address)) {
                throw new IOException("another process is listening on " + socket + ": stop it first");
            }
            Files.delete(socket);
        }
        Files.createDirectories(socket.toAbsolutePath().getParent());
        ServerSocketChannel channel = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        channel.bind(address, BACKLOG);
        Files.setPosixFilePermissions(socket, PosixFilePermissions.fromString("rw-------"));
        listening = channel;
    }

    /** The listening socket; null before {@link #open}, as {@link System#inheritedChannel()} has it. */
    static @Nullable ServerSocketChannel listening() {
        return listening;
    }

    /** Where it is bound. */
    static @Nullable Path path() {
        return path;
    }

    private static boolean answers(UnixDomainSocketAddress address) {
        try (SocketChannel probe = SocketChannel.open(address)) {
            return probe.isConnected();
        } catch (IOException refused) {
            return false;
        }
    }
}
