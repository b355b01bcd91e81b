package io.vxseal.check.host;

import io.vxseal.check.Finding;
import io.vxseal.kernel.netns.BoundSocket;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.netns.SocketHolder;
import io.vxseal.kernel.route.Link;
import io.vxseal.kernel.route.Route;
import java.io.IOException;
import java.net.Inet4Address;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Check whether another program has one of the plugin's ports.
 *
 * @param host the host's network namespace
 * @param ports the plugin's
 * @param namespaces folders in which the engine and the plugin mount namespaces
 * @param swarm the engine's swarm folder
 */
public record PortHolders(Namespace host, Ports ports, List<Path> namespaces, Path swarm, Node node) implements HostProbe {
    private static final String CHECK = "ports";

    /** The plugin's runtime, in its image or where the program was built. On the host the image's own loader runs it. */
    private static final String PLUGINS_RUNTIME = "/vxseal/runtime/bin/java";

    /**
     * The plugin's ports.
     *
     * @param vxlan UDP
     * @param cluster TCP
     */
    public record Ports(int vxlan, int cluster) {}

    @Override
    public List<Finding> run() throws IOException {
        List<Finding> findings = new ArrayList<>();
        vxlanPort().ifPresent(findings::add);
        clusterPort().ifPresent(findings::add);
        return findings.isEmpty()
                ? List.of(Finding.fit(CHECK, "no other program has UDP port %d or TCP port %d".formatted(ports.vxlan, ports.cluster)))
                : findings;
    }

    private Optional<Finding> vxlanPort() throws IOException {
        List<BoundSocket> bound = BoundSocket.udp(host).stream()
                .filter(socket -> socket.port() == ports.vxlan && isInTheWay(socket.address())).toList();
        // The kernel's own sockets, such as a VXLAN device's, are no process's.
        Optional<SocketHolder> program = bound.stream().map(SocketHolder::of).flatMap(Optional::stream).findFirst();
        if (program.isPresent()) {
            return Optional.of(Finding.unfit(CHECK,
                    "UDP port %d, VXLAN's, is in use by %s: no VXLAN device comes up, and so no network".formatted(ports.vxlan, program.get()),
                    "end it (ss -ulpn sport = :%d), or choose another port on all nodes: docker plugin set vxseal VXSEAL_VXLAN_PORT=4800"
                            .formatted(ports.vxlan)));
        }
        return bound.isEmpty() || isDevicesPort() ? Optional.empty() : Optional.of(Finding.warning(CHECK,
                ("UDP port %d, VXLAN's, is in use by no process that is seen from here, and for no VXLAN device that is: if it is one of "
                        + "WireGuard or Geneve, no network comes up").formatted(ports.vxlan),
                "give the device another port (ip -d link; wg show all listen-port)"));
    }

    /** Returns whether a VXLAN device that can be found has the port: such devices share it. */
    private boolean isDevicesPort() throws IOException {
        try (Route route = Route.in(host)) {
            for (Link link : route.links().list()) {
                if (link.tunnel().filter(tunnel -> tunnel.port() == ports.vxlan).isPresent()) {
                    return true;
                }
            }
        }
        for (Path folder : namespaces) {
            if (!TunnelCheck.pinned(folder, ports.vxlan).isEmpty()) {
                return true;
            }
        }
        return false;
    }

    private Optional<Finding> clusterPort() throws IOException {
        for (BoundSocket socket : BoundSocket.tcp(host)) {
            if (socket.port() != ports.cluster || !isInTheWay(socket.address()) || isOthersAddress(socket.address())) {
                continue;
            }
            Optional<SocketHolder> holder = SocketHolder.of(socket);
            if (holder.filter(process -> process.command().contains(PLUGINS_RUNTIME)).isEmpty()) {
                String found = "TCP port %d, the cluster's, is in use by %s".formatted(ports.cluster,
                        holder.map(SocketHolder::toString).orElse("a process that is not seen from here"));
                String remedy = "end it (ss -tlpn sport = :%d), or choose another port on all nodes: docker plugin set vxseal VXSEAL_CLUSTER_PORT=4787"
                        .formatted(ports.cluster);
                return Optional.of(NodeCertificate.read(swarm).filter(NodeCertificate::isWorkers).isPresent()
                        ? Finding.warning(CHECK, found + ", which matters once this node is a manager", remedy)
                        : Finding.unfit(CHECK, found + ": the plugin of a manager cannot listen there, and other nodes get no keys from it", remedy));
            }
        }
        return Optional.empty();
    }

    /** Returns whether a socket with an address keeps the plugin, of which the IP version may be unknown, from the port. */
    private boolean isInTheWay(InetAddress address) {
        return address.isAnyLocalAddress() || address instanceof Inet4Address
                || node.address().filter(Inet6Address.class::isInstance).isPresent();
    }

    /** Returns whether the plugin listens at another address, so that a socket with this one is not in its way. */
    private boolean isOthersAddress(InetAddress address) {
        return !address.isAnyLocalAddress()
                && (node.isKnown() ? !node.address().get().equals(address) : address.isLoopbackAddress());
    }
}
