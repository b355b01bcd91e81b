package io.vxseal.overlay;

import io.vxseal.kernel.monitor.KernelMonitor;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.route.Route;
import java.nio.file.Path;
import java.util.Optional;

/**
 * The host that networks are on.
 *
 * @param namespace network namespace that sends and receives the VXLAN datagrams, and in which the engine looks for a container's link
 * @param route links of that namespace
 * @param pins folder in which the networks' namespaces are mounted, so that they survive this process
 * @param port UDP port of VXLAN
 * @param sandboxes folder in which the engine mounts the containers' network namespaces
 * @param services whether the addresses of services are answered
 * @param monitor to which the namespaces of encrypted networks are added; without it the periodic repair notices changes there
 */
public record Host(
        Namespace namespace,
        Route route,
        Path pins,
        int port,
        Path sandboxes,
        boolean services,
        Optional<KernelMonitor> monitor) {
    /** Creates a host on which the addresses of services are not answered, without a monitor. */
    public Host(Namespace namespace, Route route, Path pins, int port) {
        this(namespace, route, pins, port, Optional.empty());
    }

    /** Creates a host on which the addresses of services are not answered. */
    public Host(Namespace namespace, Route route, Path pins, int port, Optional<KernelMonitor> monitor) {
        this(namespace, route, pins, port, Path.of("/run/docker/netns"), false, monitor);
    }
}
