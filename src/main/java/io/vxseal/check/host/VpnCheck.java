package io.vxseal.check.host;

import io.vxseal.check.Finding;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netns.BoundSocket;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.netns.SocketHolder;
import io.vxseal.kernel.route.Link;
import io.vxseal.kernel.route.Route;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * List of the VPNs and overlay networks of other programs, of which none is a failure by itself: IPsec policies, VXLAN devices and ports
 * have checks of their own.
 *
 * @param host the host's network namespace
 * @param port UDP port of VXLAN
 */
public record VpnCheck(Namespace host, int port) implements HostProbe {
    private static final String CHECK = "other VPNs";

    /** UDP ports of IKE, without and with NAT (RFC 7296, 2.23). */
    private static final Set<Integer> IKE_PORTS = Set.of(500, 4500);

    private static final Set<String> TUNNELS = Set.of("wireguard", "geneve");

    @Override
    public List<Finding> run() throws KernelException {
        List<Finding> findings = new ArrayList<>();
        Set<String> daemons = daemons();
        if (!daemons.isEmpty()) {
            findings.add(Finding.fit(CHECK, ("IKE by %s: its policies matter and are judged above, its own ESP states do not; if it removes "
                    + "states or policies of others, the plugin restores them").formatted(String.join(", ", daemons))));
        }
        List<String> devices = devices();
        if (!devices.isEmpty()) {
            findings.add(Finding.fit(CHECK, "%s: no trouble, for encrypted networks do not use them unless routes between the nodes do"
                    .formatted(String.join(", ", devices))));
        }
        return findings.isEmpty() ? List.of(Finding.fit(CHECK, "none found")) : findings;
    }

    private Set<String> daemons() throws KernelException {
        Set<String> daemons = new TreeSet<>();
        for (BoundSocket socket : BoundSocket.udp(host)) {
            if (IKE_PORTS.contains(socket.port())) {
                SocketHolder.of(socket).map(SocketHolder::toString).ifPresent(daemons::add);
            }
        }
        return daemons;
    }

    private List<String> devices() throws KernelException {
        List<String> devices = new ArrayList<>();
        try (Route route = Route.in(host)) {
            for (Link link : route.links().list()) {
                if (TUNNELS.contains(link.kind())) {
                    devices.add("%s device %s".formatted(link.kind(), link.name()));
                }
                link.tunnel().filter(tunnel -> tunnel.port() != port)
                        .ifPresent(tunnel -> devices.add("VXLAN device %s on port %d".formatted(link.name(), tunnel.port())));
            }
        }
        return devices;
    }
}
