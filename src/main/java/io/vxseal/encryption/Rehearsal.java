package io.vxseal.encryption;

import io.vxseal.address.NodeAddresses;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.xfrm.Xfrm;
import java.net.InetAddress;
import java.util.HashSet;
import java.util.Set;
import java.util.stream.IntStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Goes through the motions of a set-up, a rotation and a removal for many nodes, with messages that the kernel passes over.
 * A JVM interprets what it has not done some hundred times, and a rotation every twelve hours is a first one
 * always: that of a thousand nodes would take half as long again.
 */
public final class Rehearsal {
    private static final Logger log = LoggerFactory.getLogger(Rehearsal.class);

    /** A method is compiled after 200 calls, or after 100 with 2000 rounds of a loop, of which each batch of messages is one. */
    private static final int NODES = 500;

    private static final int PORT = 4789;

    private Rehearsal() {}

    /** Takes some ten milliseconds, and a grace period. */
    public static void run() {
        log.debug("changes for nodes in 198.18.0.0/15 are a rehearsal, and of no effect");
        InetAddress here = address(0);
        Set<InetAddress> nodes = new HashSet<>();
        for (int node = 1; node <= NODES; node++) {
            nodes.add(address(node));
        }
        try (Namespace own = Namespace.own(); Xfrm xfrm = Xfrm.rehearsing(own)) {
            Encryption encryption = new Encryption(xfrm, PORT);
            encryption.addresses(new NodeAddresses(here, here));
            encryption.ring(ring(1, 2, 3));
            encryption.nodes(nodes, true);
            encryption.ring(ring(2, 3, 4));
            encryption.nodes(Set.of(), false);
        } catch (KernelException failure) {
            throw new IllegalStateException("cannot rehearse a change", failure);
        }
    }

    private static KeyRing ring(int... tags) {
        return new KeyRing(IntStream.of(tags).mapToObj(tag -> new Key(new byte[16], tag)).toList());
    }

    /** Of those for benchmarks (RFC 2544). */
    private static InetAddress address(int number) {
        return InetAddress.ofLiteral("198.18.%d.%d".formatted(number / 250, number % 250 + 1));
    }
}
