package io.vxseal.plugin;

import java.io.IOException;
import java.net.ProtocolFamily;
import java.nio.channels.Channel;
import java.nio.channels.DatagramChannel;
import java.nio.channels.Pipe;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.channels.spi.AbstractSelector;
import java.nio.channels.spi.SelectorProvider;
import org.jspecify.annotations.Nullable;

/**
 * The JDK's own selector provider, but for the inherited channel, which is the {@link PluginSocket}'s listening socket: the way
 * in which Jetty takes over a socket that is bound already. The launcher names it in
 * {@code java.nio.channels.spi.SelectorProvider}.
 */
public final class DoorSelectorProvider extends SelectorProvider {
    private static final SelectorProvider jdk = sun.nio.ch.DefaultSelectorProvider.get();

    /** For the JDK, which makes the one instance. */
    public DoorSelectorProvider() {}

    /** Standard input, if it is a socket; else null. To close it lets go of standard output and error, too. */
    static Channel standardInput() throws IOException {
        return jdk.inheritedChannel();
    }

    @Override
    public @Nullable Channel inheritedChannel() {
        return PluginSocket.listening();
    }

    @Override
    public DatagramChannel openDatagramChannel() throws IOException {
        return jdk.openDatagramChannel();
    }

    @Override
    public DatagramChannel openDatagramChannel(ProtocolFamily family) throws IOException {
        return jdk.openDatagramChannel(family);
    }

    @Override
    public Pipe openPipe() throws IOException {
        return jdk.openPipe();
    }

    @Override
    public AbstractSelector openSelector() throws IOException {
        return jdk.openSelector();
    }

    @Override
    public ServerSocketChannel openServerSocketChannel() throws IOException {
        return jdk.openServerSocketChannel();
    }

    @Override
    public ServerSocketChannel openServerSocketChannel(ProtocolFamily family) throws IOException {
        return jdk.openServerSocketChannel(family);
    }

    @Override
    public SocketChannel openSocketChannel() throws IOException {
        return jdk.openSocketChannel();
    }

    @Override
    public SocketChannel openSocketChannel(ProtocolFamily family) throws IOException {
        return jdk.openSocketChannel(family);
    }
}
