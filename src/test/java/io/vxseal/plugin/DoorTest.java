package io.vxseal.plugin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DoorTest {
    @TempDir
    private Path folder;

    @AfterEach
    void close() throws IOException {
        ServerSocketChannel listening = Door.listening();
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
        Door.open(socket());
        try (SocketChannel dial = SocketChannel.open(UnixDomainSocketAddress.of(socket()))) {
            assertThat(dial.isConnected()).isTrue();
        }
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(socket()))).isEqualTo("rw-------");
        assertThat(System.inheritedChannel()).isSameAs(Door.listening());
    }

    @Test
    void aSocketThatADeadProcessLeftIsReplaced() throws IOException {
        Door.open(socket());
        Door.listening().close();
        assertThat(socket()).exists();
        Door.open(socket());
        try (SocketChannel dial = SocketChannel.open(UnixDomainSocketAddress.of(socket()))) {
            assertThat(dial.isConnected()).isTrue();
        }
    }

    @Test
    void aSocketThatALivingProcessListensOnIsNot() throws IOException {
        Door.open(socket());
        assertThatThrownBy(() -> Door.open(socket()))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("another process is listening on " + socket());
    }
}
