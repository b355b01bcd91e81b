package io.vxseal.encryption;

import io.vxseal.kernel.Xfrm;
import java.net.InetAddress;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Goes through the motions of a set-up, a rotation and a removal for many nodes, up to the messages, of which the kernel
 * gets none. A JVM interprets what it has not done some hundred times, and a rotation every twelve hours is a first one
 * always: that of a thousand nodes would take half as long again.
 */
public final class Rehearsal {
    /** More than the 200 calls after which a method is compiled. */
    private static final int NODES = 300;

    private static final int PORT = 4789;

    private Rehearsal() {}

    /** Takes some ten milliseconds. */
    public static void run() {
        InetAddress here = address(0);
        Ends ends = new Ends(here, here);
        KeyRing ring = ring(1, 2, 3);
        KeyRing next = ring(2, 3, 4).with(ring.keys());
        Transition setUp = new Transition(NODES);
        Transition rotation = new Transition(NODES);
        Transition removal = new Transition(NODES);
        for (int node = 1; node <= NODES; node++) {
            InetAddress there = address(node);
            NodePlan plan = NodePlan.of(ends, there, ring, PORT);
            NodePlan turned = plan.turned(ring, next, ends, there, PORT);
            setUp.add(NodePlan.EMPTY, plan);
            rotation.add(plan, turned);
            removal.add(turned, NodePlan.EMPTY);
        }
        List.of(setUp, rotation, removal).forEach(transition -> Xfrm.rehearse(transition.steps()));
    }

    private static KeyRing ring(int... tags) {
        return new KeyRing(IntStream.of(tags).mapToObj(tag -> new Key(new byte[16], tag)).toList());
    }

    /** Of those for benchmarks (RFC 2544). */
    private static InetAddress address(int number) {
        return InetAddress.ofLiteral("198.18.%d.%d".formatted(number / 250, number % 250 + 1));
    }
}
