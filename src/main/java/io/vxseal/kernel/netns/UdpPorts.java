package io.vxseal.kernel.netns;

import io.vxseal.kernel.libc.Errno;
import io.vxseal.kernel.libc.KernelException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * UDP ports to which sockets of a network namespace are bound ({@code proc_net_udp(5)}). A VXLAN device that is up has such a
 * socket in the namespace in which its datagrams travel, even if the device itself is in another one.
 */
public final class UdpPorts {
    private static final List<Path> TABLES =
            List.of(Path.of("/proc/thread-self/net/udp"), Path.of("/proc/thread-self/net/udp6"));

    /** Column of the local address and port, as in {@code 00000000:12B5}. */
    private static final int LOCAL_ADDRESS = 1;

    private UdpPorts() {}

    /** Returns the ports in use, 1 to 65535. */
    public static Set<Integer> bound(Namespace namespace) throws KernelException {
        Set<Integer> ports = new HashSet<>();
        namespace.within(() -> {
            for (Path table : TABLES) {
                try {
                    Files.readAllLines(table).stream().skip(1).map(UdpPorts::port).forEach(ports::add);
                } catch (NoSuchFileException none) {
                    // The kernel has no IPv6.
                } catch (IOException failure) {
                    throw new KernelException("read " + table, Errno.EIO, failure.toString());
                }
            }
            return 0;
        });
        return ports;
    }

    private static int port(String line) {
        String local = line.strip().split("\\s+")[LOCAL_ADDRESS];
        return Integer.parseInt(local.substring(local.indexOf(':') + 1), 16);
    }
}
