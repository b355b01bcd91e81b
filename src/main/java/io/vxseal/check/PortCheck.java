package io.vxseal.check;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.List;

/**
 * Check whether the managers' plugins are reached.
 *
 * @param port TCP port of the cluster
 * @param patience time to wait for a connection
 */
public record PortCheck(int port, Duration patience) {
    private static final String CHECK = "cluster port";

    /** Returns a finding for each manager. */
    public List<Finding> run(List<InetAddress> managers) {
        return managers.stream().map(this::check).toList();
    }

    private Finding check(InetAddress manager) {
        String address = manager.getHostAddress();
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(manager, port), (int) patience.toMillis());
            return Finding.fit(CHECK, "manager %s is reached on TCP port %d".formatted(address, port));
        } catch (IOException failure) {
            return Finding.unfit(CHECK,
                    "manager %s is not reached on TCP port %d (%s): new containers and keys are not learnt from it"
                            .formatted(address, port, failure.getMessage()),
                    "open TCP port %d from all nodes to %s (there: %s), and enable the plugin there (docker plugin enable vxseal)".formatted(
                            port, address, OpenPort.tcp(port)));
        }
    }
}
