package io.vxseal.cluster;

import io.vxseal.encryption.Key;
import io.vxseal.encryption.KeyRing;
import io.vxseal.peers.Peer;
import java.net.InetAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * The other nodes of the swarm: which endpoints they have, and the keys shared with them.
 *
 * <p>Docker says where this node and the others are ({@link #self}, {@link #found}, {@link #lost}, and the managers'
 * addresses in the swarm's folder); the swarm's
 * certificates say who they are. From these a group is formed that tells every node's endpoints to every other and
 * holds one key ring:
 *
 * <ul>
 *   <li>Each node speaks for its own endpoints only. What a node told goes when it leaves the swarm, and half a minute
 *       after it fell silent: one whose plugin is started again, or that was cut off for a moment, is not missed.
 *   <li>The ring is made and rotated by the first manager in the group (its coordinator, if that is one) and signed
 *       with its node key; all others verify the signature, the certificate's way to the swarm's root, its swarm and
 *       its role, and that the ring is newer than theirs. Of two rings the one with the higher version wins everywhere.
 *   <li>The ring is rotated only while most of the swarm's managers are in view of its maker, so that of a group cut in two
 *       one half at most rotates, and both have one ring when they meet again.
 *   <li>Keys that the engine delivers ({@link #offer}) come before those the cluster makes.
 * </ul>
 *
 * <p>All methods return at once, from any thread. What they set off happens on a thread of the cluster's own, in
 * order; listeners are called on another, in order too, so that a listener may take its time. When a listener is
 * called, {@link #peers} and {@link #ring} know at least as much as it is told.
 */
public final class Cluster implements AutoCloseable {

    /**
     * What the cluster has to be told.
     *
     * @param certificates the folder with swarm-node.crt, swarm-node.key and swarm-root-ca.crt, as the engine keeps
     *     them; may appear later
     * @param managers the file in which the engine keeps the managers' addresses, state.json; may appear later
     * @param port of the group's TCP connections, the same on every node
     * @param rotation life of a primary key; 12 hours is what the swarm itself uses
     * @param replayWindow of the keys this node makes when that is its duty, packets; 0 for none
     * @param ringFolder on a tmpfs, for the ring to outlive this process but not the host's power; without one it is
     *     kept in this process's memory alone
     */
    public record Settings(
            Path certificates,
            Path managers,
            int port,
            Duration rotation,
            int replayWindow,
            Optional<Path> ringFolder) {
        /** @throws IllegalArgumentException naming the setting that makes no sense */
        public Settings {
            if (port < 1 || port > 65535) {
                throw new IllegalArgumentException("cluster port " + port + " is not within 1 to 65535");
            }
            if (rotation.compareTo(Duration.ofSeconds(1)) < 0) {
                throw new IllegalArgumentException("rotation of keys every " + rotation + ", want a second at least");
            }
            if (!Key.isReplayWindow(replayWindow)) {
                throw new IllegalArgumentException("no key has a replay window of " + replayWindow + " packets");
            }
        }
    }

    /** Hears of changes, one at a time and in order. */
    public interface Listener {
        /**
         * Endpoints of other nodes, in the order in which they changed: those that came while the listener was busy with the
         * ones before, all at once. One that is known in another shape is removed before it is added.
         */
        void peersChanged(List<PeerChange> changes);

        /**
         * After {@link #recall}: this node's endpoints as it told them before, by the word of another. Those that it
         * announces in answer, it still has.
         */
        default void recalled(List<Peer> own) {}

        /** The ring in force changed; empty only when this node moved to another swarm that has none yet. */
        void ring(KeyRing ring);
    }

    private final Node node;

    /** Starts nothing yet and loads nothing heavy. */
    public Cluster(Settings settings, Listener listener) {
        this(settings, new KeyAuthority(settings.rotation(), settings.replayWindow()), Node.KEEP, listener);
    }

    Cluster(Settings settings, KeyAuthority authority, Node.Keep keep, Listener listener) {
        this.node = new Node(settings, authority, keep, listener);
    }

    /**
     * Where this node is: Docker's DiscoverNew with Self. Joins the group as soon as the certificates are there; again
     * with the same addresses it does nothing, with others it leaves and joins from there.
     *
     * @param advertise its address for other nodes' VXLAN
     * @param bind the local address to listen on; the unspecified address for the advertised one
     */
    public void self(InetAddress advertise, InetAddress bind) {
        node.post(() -> node.self(advertise, bind));
    }

    /** Another node may be there: it is sought at once, and again until it is in the group or {@link #lost}. */
    public void found(InetAddress other) {
        node.post(() -> node.found(other));
    }

    /**
     * Another node is not there any more: it is no longer sought, unless it is a manager of the swarm, and what it told goes
     * at once if it is out of the group. Docker says this also of a node whose gossip it lost; in the group, a node
     * speaks for itself.
     */
    public void lost(InetAddress other) {
        node.post(() -> node.lost(other));
    }

    /** An endpoint of this node, or its new shape; told to all members, now and as they join. Its VTEP is ignored. */
    public void announce(Peer own) {
        node.post(() -> node.announce(own));
    }

    /**
     * This node does not know any more which endpoints it has; to be called before {@link #self}. The others are asked what
     * it told them, and told nothing else before one has answered, or some seconds went by.
     */
    public void recall() {
        node.post(node::recall);
    }

    /** An endpoint of this node is no more. */
    public void withdraw(String network, String endpoint) {
        node.post(() -> node.withdraw(network, endpoint));
    }

    /**
     * Keys that the engine delivered to this node (DiscoverNew). An engine is trusted on its own node: they are its
     * ring from now on. A manager signs them and tells everyone, and no node rotates keys by time any more. A worker, whose
     * word nobody takes, keeps to them alone until a manager's arrive: the engine delivers keys to every node itself.
     */
    public void offer(KeyRing ring) {
        node.post(() -> node.offer(ring));
    }

    /**
     * This node wants other keys than {@link #ring()}'s, soon: see {@link io.vxseal.encryption.SequenceNumbers}. Any
     * node may, as often as it likes and for as long as it sees cause: however many want the same ring replaced, the key
     * maker rotates once, as soon as all have had the time to learn the one they have, a minute, and most managers are
     * there. Where the engine delivered the keys, nobody here can rotate them; the log says so once.
     */
    public void rotate() {
        node.post(node::rotate);
    }

    /** The ring in force; {@link KeyRing#EMPTY} before any. */
    public KeyRing ring() {
        return node.outlook().ring();
    }

    /** Other nodes' endpoints in a network, in no order. */
    public Set<Peer> peers(String network) {
        return node.outlook().peers(network);
    }

    /** The cluster as it was a second ago at most. */
    public Status status() {
        return node.status();
    }

    /**
     * Leaves the group. No listener is called any more: what the kernel was told stays in force, here, and for some minutes on
     * the other nodes, which are told that this one may be back.
     */
    @Override
    public void close() {
        node.close();
    }
}
