package io.vxseal.check.host;

import io.vxseal.check.Finding;
import io.vxseal.encryption.EspProbe;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.route.Bridge;
import io.vxseal.kernel.route.Route;
import io.vxseal.kernel.route.Vxlan;
import io.vxseal.kernel.xfrm.Xfrm;
import java.io.IOException;
import java.net.InetAddress;
import java.util.List;
import java.util.Optional;

/**
 * Checks whether the kernel makes what networks are made of. It is tried in a network namespace that ends with the check.
 *
 * @param port UDP port of VXLAN
 */
public record KernelParts(int port) {
    private static final InetAddress LOOPBACK = InetAddress.ofLiteral("127.0.0.1");
    private static final String BRIDGE = "vxseal-check";
    private static final int USUAL_MTU = 1500;

    /** Tries a VXLAN device and a bridge. */
    public List<Finding> vxlan() throws IOException {
        try (Namespace scratch = Namespace.create(); Route route = Route.in(scratch)) {
            route.links().addBridge(new Bridge(BRIDGE, USUAL_MTU, List.of()));
            route.links().addVxlan(
                    new Vxlan("vxseal-try", 1, port, USUAL_MTU, Optional.empty(), BRIDGE), scratch, route.links());
            return List.of(Finding.fit("VXLAN", "the kernel makes VXLAN devices and bridges"));
        }
    }

    /** Tries an ESP state. */
    public List<Finding> esp() throws IOException {
        try (Namespace scratch = Namespace.create(); Xfrm xfrm = Xfrm.in(scratch)) {
            EspProbe.check(xfrm, LOOPBACK);
            return List.of(Finding.fit("ESP", "the kernel has ESP with AES-GCM"));
        }
    }
}
