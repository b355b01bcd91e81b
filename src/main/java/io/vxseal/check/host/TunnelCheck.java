package io.vxseal.check.host;

import io.vxseal.check.Finding;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.route.Link;
import io.vxseal.kernel.route.Route;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Check whether other VXLAN devices are in the way of a network here. Those of the built-in driver are in namespaces of the engine, and
 * their datagrams in the host's, where a VNI can be used once with a port.
 *
 * @param host the host's network namespace
 * @param port UDP port of VXLAN
 * @param sandboxes folder in which the engine mounts its network namespaces
 */
public record TunnelCheck(Namespace host, int port, Path sandboxes, Node node) implements HostProbe {
    /** First VNI that networks get which ask for none. The built-in driver's are below it. */
    public static final int FIRST_VNI = 1 << 23;

    private static final String CHECK = "foreign VXLAN";

    @Override
    public List<Finding> run() throws IOException {
        try (Route route = Route.in(host)) {
            for (Link link : route.links().list()) {
                if (link.tunnel().filter(tunnel -> tunnel.port() == port).isPresent()) {
                    return List.of(Finding.unfit(CHECK,
                            "device %s of another program uses VXLAN port %d: a network with its VNI (%d) cannot come up here"
                                    .formatted(link.name(), port, link.tunnel().orElseThrow().vni()),
                            "choose another port on all nodes: docker plugin set vxseal VXSEAL_VXLAN_PORT=4800"));
                }
            }
        }
        for (Pinned pinned : pinned(sandboxes, port)) {
            int vni = pinned.link.tunnel().orElseThrow().vni();
            if (node.isKnown() ? node.vnis().contains(vni) : vni >= FIRST_VNI) {
                return List.of(Finding.unfit(CHECK,
                        "device %s in %s, which the plugin did not make, has VNI %d%s".formatted(pinned.link.name(), pinned.pin, vni,
                                node.isKnown() ? ", as a network here, which cannot come up" : ": a network that gets it cannot come up here"),
                        "remove one of the two networks and create it again, so that it gets another VNI: docker network ls"));
            }
        }
        return List.of(Finding.fit(CHECK, "no device of another program is in the way of a network here, on VXLAN port %d".formatted(port)));
    }

    /** A VXLAN device in a namespace that is mounted on a file. */
    record Pinned(Path pin, Link link) {}

    /** Returns the VXLAN devices with a port in the namespaces of a folder. */
    static List<Pinned> pinned(Path folder, int port) throws IOException {
        List<Pinned> found = new ArrayList<>();
        if (Files.isDirectory(folder)) {
            try (DirectoryStream<Path> pins = Files.newDirectoryStream(folder)) {
                for (Path pin : pins) {
                    found.addAll(devices(pin, port));
                }
            }
        }
        return found;
    }

    private static List<Pinned> devices(Path pin, int port) {
        try {
            Optional<Namespace> opened = Namespace.open(pin);
            if (opened.isEmpty()) {
                return List.of();
            }
            try (Namespace sandbox = opened.get(); Route route = Route.in(sandbox)) {
                return route.links().list().stream()
                        .filter(link -> link.tunnel().filter(tunnel -> tunnel.port() == port).isPresent())
                        .map(link -> new Pinned(pin, link))
                        .toList();
            }
        } catch (KernelException _) {
            // A namespace that ended meanwhile.
            return List.of();
        }
    }
}
