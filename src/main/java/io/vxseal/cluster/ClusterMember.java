package io.vxseal.cluster;

import io.vxseal.cluster.hub.Hub;
import io.vxseal.cluster.hub.RecordStore;
import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.MessageChannel;
import io.vxseal.cluster.message.Timer;
import io.vxseal.cluster.node.ClusterNode;
import io.vxseal.cluster.node.LocalChannel;
import io.vxseal.cluster.node.NodeListener;
import io.vxseal.cluster.record.HubView.Retention;
import io.vxseal.cluster.record.PathMatrix;
import io.vxseal.cluster.record.PathReport;
import io.vxseal.cluster.refusal.Refusal;
import io.vxseal.cluster.refusal.RefusalListener;
import io.vxseal.cluster.ring.KeyAuthority;
import io.vxseal.cluster.ring.RingKeeper;
import io.vxseal.cluster.ring.RingStore;
import io.vxseal.cluster.ring.RingTrust;
import io.vxseal.cluster.ring.RotationQuorum;
import io.vxseal.encryption.KeyRing;
import io.vxseal.peers.Peer;
import io.vxseal.swarm.ManagerAddresses;
import io.vxseal.swarm.Managers;
import io.vxseal.swarm.NodeName;
import io.vxseal.swarm.Role;
import java.net.InetAddress;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;

/**
 * This node's part in the cluster: the node, the hub if it is a manager, and the ring.
 *
 * <p>Pure, one thread: time, randomness and sessions come from outside, so that the simulation runs the same code.
 */
final class ClusterMember {
    private final Timer timer;
    private final RandomGenerator random;
    private final Retention retention;
    private final RecordStore records;
    private final Surroundings surroundings;
    private final RefusalListener refusals;
    private final Managers managers = new Managers();
    private final RotationQuorum quorum;
    private final RingKeeper rings;
    private final ClusterNode node;
    private final HubDialer dialer;
    private final FormerManagers formerManagers;
    private final RefusedNodes refusedNodes;
    private final MajorityWait majorityWait = new MajorityWait();

    private Optional<NodeName> self = Optional.empty();
    private Optional<InetAddress> vtep = Optional.empty();
    private Optional<Hub> hub = Optional.empty();
    private Optional<LocalChannel> local = Optional.empty();
    private boolean leaving;

    ClusterMember(KeyAuthority authority, Retention retention, RingStore store, RecordStore records, Timer timer,
            RandomGenerator random, Surroundings surroundings, RefusalListener refusals) {
        this.timer = timer;
        this.random = random;
        this.retention = retention;
        this.records = records;
        this.formerManagers = new FormerManagers(retention.away());
        this.refusedNodes = new RefusedNodes(formerManagers, managers::isManager, timer, surroundings);
        this.surroundings = surroundings;
        this.refusals = refusals;
        this.quorum = new RotationQuorum(timer, managers);
        this.rings = new RingKeeper(authority, store, timer, managers::isManager, new RingKeeper.Events() {
            @Override
            public void keys(KeyRing keys) {
                surroundings.keys(keys);
            }

            @Override
            public void changed() {
                ringChanged();
            }
        });
        this.node = new ClusterNode(retention, timer, random, rings, new NodeEvents(), refusals);
        this.dialer = new HubDialer(timer, random, surroundings::dial, this::dial);
    }

    private final class NodeEvents implements NodeListener {
        @Override
        public void changed(List<PeerChange> changes) {
            if (!changes.isEmpty()) {
                surroundings.changed(changes);
            }
        }

        @Override
        public void recalled(List<Peer> endpoints, Runnable then) {
            surroundings.recalled(endpoints, then);
        }

        @Override
        public void checkPaths(Consumer<Optional<PathReport>> then) {
            surroundings.checkPaths(then);
        }

        @Override
        public void hubOpened(String other, long process) {
            hub.ifPresent(h -> h.hubOpened(other, process));
        }

        @Override
        public void recordsReceived(String other, Message.Records records) {
            hub.ifPresent(h -> h.recordsReceived(other, records));
        }

        @Override
        public void hubClosed(String other) {
            hub.ifPresent(h -> h.hubClosed(other));
        }
    }

    // ---- the swarm

    /** Takes this node's certificates, new or renewed. */
    void become(RingTrust trust) {
        NodeName now = trust.self();
        boolean same = self.filter(now::equals).isPresent();
        if (self.isPresent() && !same) {
            if (!self.get().swarm().equals(now.swarm()) || !self.get().node().equals(now.node())) {
                forget();
            }
            stopHub();
        }
        self = Optional.of(now);
        rings.become(trust);
        node.self(now);
        if (now.role() == Role.MANAGER && hub.isEmpty()) {
            startHub(now);
        }
        quorum.restart();
    }

    private void startHub(NodeName name) {
        // What other hubs sent over sessions went to the directory.
        node.closeAll("this node is a manager now");
        Hub started = new Hub(name.node(), random.nextLong() | 1, retention, timer, managers::isManager, rings, records, refusals);
        hub = Optional.of(started);
        vtep.ifPresent(started::self);
        started.managers(managers.listed());
        LocalChannel end = LocalChannel.pair(name, timer,
                (channel, message) -> started.received(channel, message), node::received);
        local = Optional.of(end);
        node.opened(end, Optional.empty());
        started.opened(end.other());
    }

    private void stopHub() {
        hub.ifPresent(stopped -> stopped.closeAll("this node is no hub any more"));
        local.ifPresent(end -> {
            end.close("");
            node.closed(end);
        });
        node.closeAll("this node's certificate changed");
        hub = Optional.empty();
        local = Optional.empty();
    }

    /** Forgets the other nodes, not this node's endpoints: it is of no swarm, or of another. */
    void forget() {
        stopHub();
        node.clear();
        managers.forget();
        formerManagers.forget();
        self = Optional.empty();
    }

    /** Takes the engine's list of managers. */
    void listed(ManagerAddresses.Listing now) {
        managers.listed(now.nodes(), now.isPartial());
        hub.ifPresent(h -> h.managers(managers.listed()));
        rings.managersChanged();
        node.closeUnless(id -> managers.isManager(id) || self.filter(me -> me.node().equals(id)).isPresent());
        dialer.listed(now.addresses());
        Set<String> former = formerManagers.listed(now);
        if (self.filter(me -> me.role() == Role.MANAGER).isPresent()) {
            former.forEach(rings::onRemoval);
        }
        dial();
    }

    /** Takes the list of all nodes of the swarm, as this manager's engine has it now; of no use on a worker. */
    void swarmNodes(Set<String> nodes) {
        hub.ifPresent(h -> {
            h.swarmNodes(nodes);
            refusedNodes.look(h);
        });
    }

    // ---- this node

    void vtep(InetAddress address) {
        vtep = Optional.of(address);
        node.vtep(address);
        hub.ifPresent(h -> h.self(address));
        dialer.retry();
        dial();
    }

    /** Tries all hubs at once: something changed that may have been in the way. */
    void retry() {
        dialer.retry();
        dial();
    }

    void found(InetAddress other) {
        hub.ifPresent(h -> h.found(other));
    }

    void lost(InetAddress other) {
        managers.lost(other);
        hub.ifPresent(h -> h.lost(other));
        node.lost(other);
    }

    void offer(KeyRing keys) {
        rings.offer(keys);
    }

    void requestRotation() {
        rings.requestRotation();
    }

    /** Has all keys replaced: nodes that are not of the swarm any more have them. */
    void revokeKeys() {
        rings.revokeKeys();
    }

    /**
     * Has all nodes check their paths.
     *
     * @param matrix fails if this node is no manager
     */
    void checkSwarm(CompletableFuture<PathMatrix> matrix) {
        hub.ifPresentOrElse(h -> h.checkPaths(matrix), () -> matrix.completeExceptionally(new IllegalStateException(
                "this node is no manager, and a manager alone may have all nodes check their paths: run it on one")));
    }

    /** Announces that this process ends and may be back. */
    void away() {
        leaving = true;
        node.away();
    }

    private void ringChanged() {
        node.ringChanged();
        hub.ifPresent(Hub::ringChanged);
    }

    // ---- sessions with hubs

    private void dial() {
        if (self.isEmpty() || vtep.isEmpty() || leaving) {
            return;
        }
        dialer.dial(hub.flatMap(_ -> vtep));
    }

    /** Begins a session with a hub. */
    void hubReached(InetAddress address, MessageChannel channel) {
        NodeName peer = channel.peer();
        if (self.filter(me -> me.node().equals(peer.node())).isPresent()) {
            dialer.isSelf(address);
            channel.close("this node's own hub");
        } else if (peer.role() != Role.MANAGER || !managers.isManager(peer.node()) || self.isEmpty() || leaving) {
            refusals.refused(Refusal.CERTIFICATE, peer.node(), "a hub on a node that is no manager of the swarm");
            channel.close("its node is no manager of the swarm");
            dialer.failed(address);
        } else {
            dialer.connected(address, channel);
            node.opened(channel, Optional.of(address));
        }
    }

    /** Takes the failure to reach a hub. */
    void hubFailed(InetAddress address) {
        dialer.failed(address);
    }

    /** Takes a message of a hub. What has arrived already when its node is demoted is dropped. */
    void hubReceived(MessageChannel channel, Message message) {
        if (managers.isManager(channel.peer().node())) {
            node.received(channel, message);
        }
    }

    void hubDrained(MessageChannel channel) {
        node.drained(channel);
    }

    void hubClosed(MessageChannel channel) {
        node.closed(channel);
        dialer.closed(channel);
    }

    // ---- sessions of nodes with this hub

    void nodeOpened(MessageChannel channel) {
        if (self.filter(me -> me.node().equals(channel.peer().node())).isPresent()) {
            // It would take the place of the session within this process.
            channel.close("this node's own hub");
        } else if (hub.isPresent()) {
            hub.get().opened(channel);
        } else {
            channel.close("no hub here");
        }
    }

    void nodeReceived(MessageChannel channel, Message message) {
        if (message instanceof Message.Announce(var record) && channel.peer().role() == Role.MANAGER
                && managers.isManager(channel.peer().node())) {
            managers.met(channel.peer(), record.vtep());
        }
        hub.ifPresent(h -> h.received(channel, message));
    }

    void nodeDrained(MessageChannel channel) {
        hub.ifPresent(h -> h.drained(channel));
    }

    void nodeClosed(MessageChannel channel) {
        hub.ifPresent(h -> h.closed(channel));
    }

    // ---- time

    /** Does periodic work; to be called each second. */
    void tick() {
        dial();
        node.tick();
        hub.ifPresent(h -> {
            h.tick();
            refusedNodes.look(h);
            String me = self.orElseThrow().node();
            Map<String, Long> lastReceived = new HashMap<>(node.hubsLastReceived());
            h.managersLastReceived().forEach((manager, when) -> lastReceived.merge(manager, when, Math::max));
            quorum.reached(me, lastReceived);
            if (rings.keep(quorum.isKeyMaker(me), quorum.isComplete(), quorum.isMajority(), quorum.still())) {
                node.ping();
                majorityWait.goOn(quorum, timer.nanoTime());
            } else {
                majorityWait.end();
            }
        });
    }

    // ---- what others read

    ClusterNode node() {
        return node;
    }

    Optional<Hub> hub() {
        return hub;
    }

    RingKeeper rings() {
        return rings;
    }
}
