package io.vxseal.cluster;

import io.vxseal.cluster.node.SwarmInquiry;
import io.vxseal.cluster.record.HubView.Retention;
import io.vxseal.cluster.record.NodeReport;
import io.vxseal.cluster.record.PathMatrix;
import io.vxseal.cluster.record.SubnetRecord;
import io.vxseal.cluster.ring.KeyAuthority;
import io.vxseal.encryption.KeyRing;
import io.vxseal.peers.Peer;
import io.vxseal.swarm.UnlockKeySource;
import java.net.InetAddress;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;

/**
 * The other nodes of the swarm: which endpoints they have, and the keys shared with them.
 *
 * <p>Docker gives this node's addresses ({@link #self}), the swarm's folder the managers and theirs, and the swarm's certificates each
 * node's name. Every manager's plugin is a hub; every node has a session with each hub, five at most.
 *
 * <ul>
 *   <li>A node announces its own endpoints only, over a session with its own certificate. They go when it leaves the swarm, and half a
 *       minute after it fell silent: a node whose plugin is started again, or that was cut off for a moment, is not missed.
 *   <li>The hubs send a node the endpoints in the networks that it {@linkplain #subscribe subscribed} to.
 *   <li>The ring is made and rotated by one manager, the first by its id of those that are reached, and signed with its node key. All
 *       others verify the signature, the certificate's way to the swarm's root, its swarm and its role, that its holder is still a
 *       manager, and that the ring is newer than theirs. Of two rings the one with the higher version wins everywhere.
 *   <li>The ring is rotated only while most of the swarm's managers are reached, so that of a swarm cut in two one half at most rotates.
 *   <li>Keys that the engine delivers ({@link #offer}) come before those the cluster makes.
 * </ul>
 *
 * <p>All methods return at once, from any thread. What they set off happens on a thread of the cluster's own, in order; listeners are
 * called on another, in order too, so that a listener may take its time. What a listener is called with, {@link #peers} has already.
 */
public final class Cluster implements AutoCloseable {

    private final ClusterProcess process;
    private final Duration rotation;

    /** As the other one, for a node whose private key is not encrypted. */
    public Cluster(ClusterSettings settings, ClusterListener listener) {
        this(settings, Optional.empty(), listener);
    }

    /**
     * Starts nothing yet and loads nothing heavy.
     *
     * @param unlockKeys gives the key of this node's private key while the swarm is autolocked; empty if nobody does
     */
    public Cluster(ClusterSettings settings, Optional<UnlockKeySource> unlockKeys, ClusterListener listener) {
        this(settings, unlockKeys, new KeyAuthority(settings.rotation(), settings.replayWindow(), new SecureRandom()),
                ClusterProcess.RETENTION, listener);
    }

    Cluster(ClusterSettings settings, KeyAuthority authority, Retention retention, ClusterListener listener) {
        this(settings, Optional.empty(), authority, retention, listener);
    }

    private Cluster(
            ClusterSettings settings,
            Optional<UnlockKeySource> unlockKeys,
            KeyAuthority authority,
            Retention retention,
            ClusterListener listener) {
        this.rotation = settings.rotation();
        this.process = new ClusterProcess(settings, unlockKeys, authority, retention, listener);
    }

    /**
     * Sets this node's addresses: Docker's DiscoverNew with Self. Opens sessions as soon as the certificates are there; again with
     * the same addresses it does nothing, with others it opens them anew.
     *
     * @param advertise its address for other nodes' VXLAN
     * @param bind the local address to listen on; the unspecified address for the advertised one
     */
    public void self(InetAddress advertise, InetAddress bind) {
        process.post(() -> process.self(advertise, bind));
    }

    /** Notes that the engine has found another node at this address. */
    public void found(InetAddress other) {
        process.submit(member -> member.found(other));
    }

    /**
     * Notes that the engine calls another node lost: its endpoints go at once, unless a hub has a session with it. Docker says this also
     * of a node whose gossip it lost.
     */
    public void lost(InetAddress other) {
        process.submit(member -> member.lost(other));
    }

    /**
     * Takes the ids of all nodes of the swarm, as this manager's engine lists them now; to be called again and again, as each list ends what
     * the one before said. A node that is not on the list any more was removed from the swarm: its session and its endpoints end, here and by this
     * hub's word on all managers, it has no other session, and the keys that it has are replaced. A list without this node counts for
     * nothing, and so does every list on a worker.
     */
    public void swarmNodes(Set<String> nodes) {
        Set<String> listed = Set.copyOf(nodes);
        process.submit(member -> member.swarmNodes(listed));
    }

    /** Announces an endpoint of this node, or its new shape. Its VTEP is ignored. */
    public void announce(Peer own) {
        process.submit(member -> member.node().announce(own));
    }

    /**
     * Asks the hubs which endpoints this node announced before; to be called before {@link #self}. Nothing is announced before they
     * have answered, or some seconds went by.
     */
    public void recall() {
        process.submit(member -> member.node().recall());
    }

    /**
     * Subscribes to the endpoints of a network.
     *
     * @param subnets as this node's engine defines them; claims of other addresses are not taken
     */
    public void subscribe(String network, List<SubnetRecord> subnets) {
        process.submit(member -> member.node().subscribe(network, subnets));
    }

    /** Ends the subscription to a network. */
    public void unsubscribe(String network) {
        process.submit(member -> member.node().unsubscribe(network));
    }

    /** Announces how this node's engine defines a network of the swarm that may not be on this node. */
    public void define(String network, List<SubnetRecord> subnets) {
        process.submit(member -> member.node().define(network, subnets));
    }

    /** Takes back such a definition. */
    public void undefine(String network) {
        process.submit(member -> member.node().undefine(network));
    }

    /** Withdraws an endpoint of this node. */
    public void withdraw(String network, String endpoint) {
        process.submit(member -> member.node().withdraw(network, endpoint));
    }

    /**
     * Takes keys that the engine delivered to this node (DiscoverNew). An engine is trusted on its own node: they are its
     * ring from now on. A manager signs them and sends them to all nodes, and no node rotates keys by time any more. A worker, which
     * signs no rings, keeps to them alone until a manager's arrive: the engine delivers keys to every node itself.
     */
    public void offer(KeyRing ring) {
        process.submit(member -> member.offer(ring));
    }

    /**
     * Requests other keys than those in force, soon: see {@link io.vxseal.encryption.SequenceNumbers}. Any
     * node may, as often as it likes and for as long as it sees cause: however many want the same ring replaced, the key
     * maker rotates once, as soon as all have had the time to learn the one they have, a minute, and most managers are
     * there. Where the engine delivered the keys, nobody here can rotate them, which is logged once.
     */
    public void rotate() {
        process.submit(ClusterMember::requestRotation);
    }

    /** Sets this node's part of the answer when an operator asks all nodes. */
    public void report(NodeReport report) {
        process.submit(member -> member.node().report(report));
    }

    /** Asks all nodes for their reports, through a hub. Fails if none is reached, or none answers. */
    public CompletableFuture<SwarmInquiry.Answer> inquire() {
        CompletableFuture<SwarmInquiry.Answer> answered = new CompletableFuture<>();
        process.submit(member -> member.node().inquire(answered));
        return answered;
    }

    /** Has all nodes check their paths to each other. Fails if this node is no manager. */
    public CompletableFuture<PathMatrix> checkPaths() {
        CompletableFuture<PathMatrix> checked = new CompletableFuture<>();
        process.submit(member -> member.checkSwarm(checked));
        return checked;
    }

    /** Returns how long a key is in use, by this node's settings. */
    public Duration rotation() {
        return rotation;
    }

    /** Returns other nodes' endpoints in a network, in no order. */
    public Set<Peer> peers(String network) {
        return process.view().peers(network);
    }

    /** Returns the cluster as it was a second ago at most. */
    public ClusterStatus status() {
        return process.status();
    }

    /**
     * Ends the sessions. No listener is called any more: what the kernel has stays in force, here, and for some minutes on
     * the other nodes, which learn that this one may be back.
     */
    @Override
    public void close() {
        process.close();
    }
}
