package io.vxseal.kernel.route;

import io.vxseal.address.MacAddress;
import io.vxseal.kernel.TestHost;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** Fixture of a host's namespace, in which VXLAN datagrams travel, and a network's namespace. */
abstract class UnderlayAndOverlay {
    static final MacAddress MAC = MacAddress.parse("02:42:0a:2c:00:07");

    @TempDir
    Path folder;

    TestHost underlay;
    TestHost overlay;

    @BeforeEach
    void open() throws Exception {
        underlay = new TestHost(folder.resolve("underlay"));
        overlay = new TestHost(folder.resolve("overlay"));
    }

    @AfterEach
    void close() throws Exception {
        overlay.close();
        underlay.close();
    }

    /** Adds bridge br0 to the overlay. */
    void bridge() throws Exception {
        overlay.route.links().addBridge(new Bridge("br0", 1424, List.of()));
    }

    /** Adds bridge br0 with VXLAN device vx0 to the overlay. */
    void vxlan(Optional<InetAddress> local) throws Exception {
        bridge();
        underlay.route.links().addVxlan(
                new Vxlan("vx0", 4097, 4789, 1424, local, "br0"), overlay.namespace, overlay.route.links());
    }

    static InetAddress ip(String literal) {
        return InetAddress.ofLiteral(literal);
    }
}
