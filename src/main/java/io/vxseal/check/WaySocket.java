package io.vxseal.check;

import io.vxseal.check.Way.Endpoint;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.packet.EchoFrame;
import io.vxseal.kernel.packet.FrameSocket;
import io.vxseal.kernel.route.Link;
import io.vxseal.kernel.route.Route;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;

/** A socket on a network's VXLAN device that sends echo requests to containers of other nodes and receives their replies. */
final class WaySocket implements AutoCloseable {
    /** Octets of the smallest requests' IPv4 packets. */
    static final int SMALL = 64;

    private final FrameSocket socket;
    private final int mtu;
    private final int identifier;

    private WaySocket(FrameSocket socket, int mtu, int identifier) {
        this.socket = socket;
        this.mtu = mtu;
        this.identifier = identifier;
    }

    /** Opens a socket in a network's namespace; empty if the VXLAN device of the way's subnet is down or missing. */
    static Optional<WaySocket> open(Namespace namespace, Way way) throws KernelException {
        Optional<Link> device = device(namespace, way);
        return device.isPresent() ? Optional.of(open(namespace, device.get(), way)) : Optional.empty();
    }

    /** Opens a socket on the VXLAN device of the way's subnet. */
    static WaySocket open(Namespace namespace, Link device, Way way) throws KernelException {
        int identifier = ThreadLocalRandom.current().nextInt(1 << Short.SIZE);
        return new WaySocket(FrameSocket.open(namespace, device.index(), EchoFrame.replies(identifier), way.mark(), way.priority()),
                device.mtu(), identifier);
    }

    /** Returns the VXLAN device of the way's subnet; empty if it is down or missing. */
    static Optional<Link> device(Namespace namespace, Way way) throws KernelException {
        try (Route route = Route.in(namespace)) {
            return route.links().list().stream()
                    .filter(link -> link.up() && link.tunnel().filter(tunnel -> tunnel.vni() == way.vni()).isPresent())
                    .findFirst();
        }
    }

    /** Returns the octets of the largest IPv4 packet of the network. */
    int mtu() {
        return mtu;
    }

    /** Returns the frames of requests from one container to another. */
    EchoFrame echo(Endpoint here, Endpoint there) {
        return new EchoFrame(here.mac(), here.address(), there.mac(), there.address(), identifier);
    }

    /** Sends a frame. Returns whether the kernel took it. */
    boolean send(byte[] frame) {
        return socket.send(frame);
    }

    /** Waits for the headers of a reply, and returns them; empty if none comes for so long. */
    Optional<ByteBuffer> receive(Duration patience) {
        return socket.receive(patience);
    }

    @Override
    public void close() {
        socket.close();
    }
}
