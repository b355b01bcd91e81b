package io.vxseal.bench;

import io.vxseal.address.NodeAddresses;
import io.vxseal.encryption.Encryption;
import io.vxseal.encryption.EspProbe;
import io.vxseal.encryption.Key;
import io.vxseal.encryption.KeyRing;
import io.vxseal.encryption.NodePlan;
import io.vxseal.encryption.Transition;
import io.vxseal.kernel.OneByOne;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.xfrm.Xfrm;
import io.vxseal.kernel.xfrm.XfrmChange;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Times set-up, rotation and removal of states and policies for so many peers: {@code Programming batched|naive PEERS
 * CYCLES WITNESS}. The works of the first cycle are first calls in their process; those of the
 * others are warm.
 *
 * <p>To be run in a network namespace of its own, on a kernel that has ESP. {@code test-e2e/floor.c} makes the same
 * objects: see there for addresses and keys.
 */
public final class Programming {
    private static final InetAddress LOCAL = InetAddress.ofLiteral("10.99.0.1");
    private static final int KEY_OCTETS = 16;
    private static final int FIRST_TAG = 1;

    static final NodeAddresses ENDS = new NodeAddresses(LOCAL, LOCAL);
    static final int PORT = 4789;
    static final KeyRing RING = new KeyRing(List.of(key(FIRST_TAG + 1), key(FIRST_TAG), key(FIRST_TAG + 2)));

    private Programming() {}

    /** A way to program the states and policies of the peers and the ring. */
    private interface Way extends AutoCloseable {
        void ready(KeyRing ring) throws KernelException;

        void setUp(Set<InetAddress> peers) throws KernelException;

        void rotate(KeyRing ring) throws KernelException;

        void remove() throws KernelException;

        @Override
        void close() throws KernelException;
    }

    public static void main(String[] words) throws Exception {
        int peers = Integer.parseInt(words[1]);
        int cycles = Integer.parseInt(words[2]);
        var measurement = new Measurement(words[0], peers, words[3]);
        Set<InetAddress> addresses = new HashSet<>();
        for (int i = 0; i < peers; i++) {
            addresses.add(peer(i));
        }
        KeyRing ring = RING;
        try (Way way = words[0].equals("naive") ? new Naive() : new Batched()) {
            for (int cycle = 0; cycle < cycles; cycle++) {
                KeyRing next = rotated(ring);
                way.ready(ring);
                measurement.time("setup", cycle, () -> way.setUp(addresses));
                measurement.show("setup", cycle);
                measurement.time("rotate", cycle, () -> way.rotate(next));
                measurement.show("rotate", cycle);
                measurement.time("remove", cycle, way::remove);
                ring = next;
            }
        }
    }

    /** Returns the address of a peer by its number. */
    static InetAddress peer(int number) {
        return InetAddress.ofLiteral("10.200.%d.%d".formatted(number / 250, number % 250 + 1));
    }

    private static Key key(int tag) {
        byte[] octets = new byte[KEY_OCTETS];
        for (int i = 0; i < octets.length; i++) {
            octets[i] = (byte) (tag + i);
        }
        return new Key(octets, tag);
    }

    /** Returns the plan for a peer by its number. */
    static NodePlan plan(int number) {
        return NodePlan.of(ENDS, peer(number), RING, PORT);
    }

    /** Returns the next ring as the key authority makes it, but with the same keys in every run. */
    static KeyRing rotated(KeyRing ring) {
        Key next = ring.keys().getLast();
        return new KeyRing(List.of(next, ring.keys().getFirst(), key(next.tag() + 1)));
    }

    /** The product's way, called as the driver calls it while an encrypted network is up. */
    private static final class Batched implements Way {
        private final Xfrm xfrm;
        private final Encryption encryption;

        Batched() throws KernelException {
            try (Namespace own = Namespace.own()) {
                xfrm = Xfrm.in(own);
            }
            encryption = new Encryption(xfrm, PORT, EspProbe::check);
            encryption.addresses(ENDS);
        }

        @Override
        public void ready(KeyRing ring) throws KernelException {
            encryption.ring(ring);
            encryption.block();
        }

        @Override
        public void setUp(Set<InetAddress> peers) throws KernelException {
            encryption.nodes(peers, true);
        }

        @Override
        public void rotate(KeyRing ring) throws KernelException {
            encryption.ring(ring);
        }

        @Override
        public void remove() throws KernelException {
            encryption.nodes(Set.of(), true);
        }

        @Override
        public void close() throws KernelException {
            encryption.nodes(Set.of(), false);
            xfrm.close();
        }
    }

    /** The naive way: peer after peer, object after object. */
    private static final class Naive implements Way {
        private final OneByOne kernel = OneByOne.ofStates();
        private final Batched block = new Batched();
        private KeyRing ring = KeyRing.EMPTY;
        private List<InetAddress> peers = List.of();

        Naive() throws KernelException {}

        @Override
        public void ready(KeyRing first) throws KernelException {
            // The block policy belongs to no peer and is not measured.
            block.ready(first);
            ring = first;
        }

        @Override
        public void setUp(Set<InetAddress> addresses) throws KernelException {
            peers = new ArrayList<>(addresses);
            for (InetAddress peer : peers) {
                change(NodePlan.EMPTY, plan(peer, ring));
            }
        }

        @Override
        public void rotate(KeyRing next) throws KernelException {
            for (InetAddress peer : peers) {
                change(plan(peer, ring), plan(peer, next));
            }
            ring = next;
        }

        @Override
        public void remove() throws KernelException {
            for (InetAddress peer : peers) {
                change(plan(peer, ring), NodePlan.EMPTY);
            }
            peers = List.of();
        }

        private void change(NodePlan before, NodePlan after) throws KernelException {
            for (XfrmChange change : new Transition(1).add(before, after).steps()) {
                kernel.apply(change);
            }
        }

        private static NodePlan plan(InetAddress peer, KeyRing ring) {
            return NodePlan.of(ENDS, peer, ring, PORT);
        }

        @Override
        public void close() throws KernelException {
            block.close();
            kernel.close();
        }
    }
}
