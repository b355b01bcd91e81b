package io.vxseal.cluster.node;

import io.vxseal.cluster.PeerChange;
import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.MessageChannel;
import io.vxseal.cluster.message.RefusedException;
import io.vxseal.cluster.message.RingMark;
import io.vxseal.cluster.message.Timer;
import io.vxseal.cluster.record.EndpointRecord;
import io.vxseal.cluster.record.HubView.Retention;
import io.vxseal.cluster.record.NetworkRecord;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.cluster.record.NodeReport;
import io.vxseal.cluster.record.RecordMark;
import io.vxseal.cluster.record.RefusedClaim;
import io.vxseal.cluster.record.SubnetRecord;
import io.vxseal.cluster.ring.RingKeeper;
import io.vxseal.peers.Peer;
import io.vxseal.swarm.NodeName;
import java.net.InetAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.Predicate;
import java.util.random.RandomGenerator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * This node's sessions with hubs: announces its record to each, and hears of the other nodes.
 *
 * <p>Pure, one thread.
 */
public final class ClusterNode {
    private static final Logger LOG = LoggerFactory.getLogger(ClusterNode.class);

    /** Time for hubs to say what this node announced before; they forget it some time after. */
    public static final Duration RECALL = Duration.ofSeconds(10);
    /** Time for a hub to answer an inquiry, for which it asks all nodes. */
    public static final Duration INQUIRY = Duration.ofSeconds(8);
    /** Bits of an incarnation below the milliseconds; random, so that two processes have different ones. */
    private static final int RANDOM_BITS = 16;

    private final Timer timer;
    private final RingKeeper rings;
    private final Events events;
    private final Directory directory;
    private final Map<String, Uplink> uplinks = new LinkedHashMap<>();
    private final OwnRecord own;
    private final EndpointRecall recall = new EndpointRecall();
    private final SwarmInquiry inquiry = new SwarmInquiry();
    private List<RefusedClaim> refused = List.of();

    /** Listener of what this node learns. */
    public interface Events {
        /** Takes changes of other nodes' endpoints. */
        void changed(List<PeerChange> changes);

        /**
         * Takes what this node announced before, by the word of a hub.
         *
         * @param then to be run after that
         */
        void recalled(List<Peer> endpoints, Runnable then);

        /** Begins a session with a hub that tells what it hears from nodes itself. */
        void hubOpened(String hub, long process);

        /** Takes what such a hub tells. */
        void hubTold(String hub, Message.Records told);

        /** Ends such a session. */
        void hubClosed(String hub);

        /** Counts what a hub sent and is refused. */
        void refuse(String hub, String what);
    }

    /** A node that knows nothing yet. */
    public ClusterNode(Retention retention, Timer timer, RandomGenerator random, RingKeeper rings, Events events) {
        this.timer = timer;
        this.rings = rings;
        this.events = events;
        this.directory = new Directory(retention);
        long millis = Math.max(1, timer.wallTime().toEpochMilli());
        this.own = new OwnRecord((millis << RANDOM_BITS) + random.nextInt(1 << RANDOM_BITS));
    }

    // ---- what this node is and has

    /** Sets this node's name. */
    public void self(NodeName name) {
        own.self(name);
        directory.self(name.node());
        announce();
    }

    /** Sets this node's address for VXLAN. */
    public void vtep(InetAddress address) {
        announceIf(own.vtep(address));
    }

    /** Subscribes to the endpoints of a network, as the engine defines it. */
    public void subscribe(String network, List<SubnetRecord> subnets) {
        if (own.addNetwork(network, subnets)) {
            events.changed(directory.subscribe(network, subnets));
            uplinks.values().forEach(this::sendSubscription);
            announce();
        }
    }

    /** Ends the subscription to a network. */
    public void unsubscribe(String network) {
        if (own.removeNetwork(network)) {
            events.changed(directory.unsubscribe(network));
            uplinks.values().forEach(this::sendSubscription);
            announce();
        }
    }

    /** Tells the hubs how the engine defined a network for the swarm. */
    public void define(String network, List<SubnetRecord> subnets) {
        announceIf(own.define(network, subnets));
    }

    /** Takes back such a definition. */
    public void undefine(String network) {
        announceIf(own.undefine(network));
    }

    /** Announces an endpoint of this node, or its new shape. */
    public void announce(Peer peer) {
        announceIf(own.addEndpoint(peer));
    }

    /** Withdraws an endpoint of this node. */
    public void withdraw(String network, String endpoint) {
        announceIf(own.removeEndpoint(network, endpoint));
    }

    /** Says that this process ends and may be back. */
    public void away() {
        own.away();
        announce();
    }

    /** Says that this node left the swarm. */
    public void goodbye() {
        own.revise();
        uplinks.values().forEach(up -> up.send(Message.Goodbye.class,
                () -> Optional.of(new Message.Goodbye(own.incarnation(), own.revision()))));
    }

    /** Forgets which endpoints this node has; hubs are asked for them before anything is announced. */
    public void recall() {
        recall.begin();
    }

    private void announceIf(boolean changed) {
        if (changed) {
            announce();
        }
    }

    private void announce() {
        uplinks.values().forEach(this::sendRecord);
    }

    private void sendRecord(Uplink up) {
        if (up.welcomed && !recall.isRunning() && own.isComplete()) {
            up.send(Message.Announce.class, () -> recall.isRunning() ? Optional.empty() : own.record().map(Message.Announce::new));
        }
    }

    // ---- sessions with hubs

    /**
     * Begins a session with a hub.
     *
     * @param address where it was dialled; empty for this process's own
     */
    public void opened(MessageChannel channel, Optional<InetAddress> address) {
        boolean feedsHub = address.isPresent() && uplinks.values().stream().anyMatch(each -> each.address.isEmpty());
        Uplink up = new Uplink(channel, address, feedsHub, timer.nanoTime());
        Uplink before = uplinks.put(up.hub(), up);
        if (before != null) {
            lost(before);
            before.channel.close("replaced by a newer session");
        }
        up.send(Message.Hello.class, () -> Optional.of(new Message.Hello(rings.mark(), rings.isRotationRequested())));
        sendSubscription(up);
    }

    private void sendSubscription(Uplink up) {
        up.send(Message.Subscribe.class, () -> {
            if (up.feedsHub) {
                // What other hubs hear, a manager's hub passes on to its own node, judged.
                return Optional.of(new Message.Subscribe(Set.of(), true));
            }
            up.held = directory.held();
            return Optional.of(new Message.Subscribe(own.networks(), false, up.held));
        });
    }

    /** Takes a message of a hub. */
    public void received(MessageChannel channel, Message message) {
        Uplink up = uplinks.get(channel.peer().node());
        if (up == null || !up.channel.equals(channel)) {
            return;
        }
        switch (message) {
            case Message.Welcome welcome -> welcomed(up, welcome);
            case Message.Records records -> {
                if (up.feedsHub) {
                    events.hubTold(up.hub(), records);
                } else {
                    events.changed(directory.told(up.hub(), records, timer.nanoTime()));
                }
            }
            case Message.Acknowledge(var atIncarnation, var atRevision, var claims) -> {
                up.goodbyeHeard |= atIncarnation == 0;
                up.incarnation = atIncarnation;
                up.revision = atRevision;
                takeRefused(claims);
                outdo(up);
            }
            case Message.Ring(var octets) -> {
                try {
                    rings.take(octets);
                } catch (RefusedException e) {
                    events.refuse(up.hub(), e.getMessage());
                }
            }
            case Message.Heartbeat(var ring, var rotate) -> heard(up, ring, rotate);
            case Message.Recalled(var endpoints) -> recalled(up, endpoints);
            case Message.Ping() -> sendHeartbeat(up);
            case Message.Recall() -> up.send(Message.Recalled.class, () -> Optional.of(new Message.Recalled(directory.networks(up.hub()))));
            case Message.ReportRequest(var round) -> inquiry.answer(up, round);
            case Message.Reports reports -> inquiry.take(up.hub(), reports);
            case Message.Hello _, Message.Subscribe _, Message.Announce _, Message.Goodbye _, Message.Inquiry _, Message.Report _ ->
                events.refuse(up.hub(), "a message that only nodes send");
        }
    }

    private void welcomed(Uplink up, Message.Welcome welcome) {
        up.welcomed = true;
        up.incarnation = welcome.incarnation();
        up.revision = welcome.revision();
        if (up.feedsHub) {
            events.hubOpened(up.hub(), welcome.hub());
        } else {
            events.changed(directory.opened(up.hub(), welcome.hub(),
                    timer.nanoTime() - Duration.ofMillis(welcome.readyMillis()).toNanos()));
        }
        heard(up, welcome.ring(), welcome.rotate());
        if (recall.isRunning()) {
            askForRecall(up);
        } else if (!outdo(up)) {
            sendRecord(up);
        }
    }

    private boolean outdo(Uplink up) {
        boolean needed = own.outdo(up.incarnation);
        announceIf(needed);
        return needed;
    }

    private void heard(Uplink up, RingMark ring, boolean rotate) {
        up.ring = ring;
        if (rotate) {
            rings.onRotationRequest(ring);
        }
        if (rings.mark().compareTo(ring) > 0) {
            up.send(Message.Ring.class, () -> rings.newerThan(up.ring));
        }
    }

    private void takeRefused(List<RefusedClaim> claims) {
        if (!claims.equals(refused)) {
            refused = claims;
            claims.stream().limit(10).forEach(claim -> LOG.warn("{} has no effect in the cluster: {}",
                    claim.endpoint().isEmpty() ? "this node's record" : "endpoint " + claim.endpoint() + " of network " + claim.network(),
                    claim.reason()));
        }
    }

    /** Goes on sending: the session's queue has room again. */
    public void drained(MessageChannel channel) {
        Uplink up = uplinks.get(channel.peer().node());
        if (up != null && up.channel.equals(channel)) {
            up.drained();
        }
    }

    /**
     * Ends a session with a hub.
     *
     * @return where the hub was dialled, if this was the session with it
     */
    public Optional<InetAddress> closed(MessageChannel channel) {
        Uplink up = uplinks.get(channel.peer().node());
        if (up == null || !up.channel.equals(channel)) {
            return Optional.empty();
        }
        uplinks.remove(up.hub());
        lost(up);
        return up.address;
    }

    private void lost(Uplink up) {
        recall.forget(up.hub());
        inquiry.lost(up.hub());
        if (up.feedsHub) {
            events.hubClosed(up.hub());
        } else {
            events.changed(directory.closed(up.hub(), timer.nanoTime()));
        }
        endRecall();
    }

    /** Tells the hubs that the ring changed, or that it is to be replaced. */
    public void ringChanged() {
        for (Uplink up : uplinks.values()) {
            sendHeartbeat(up);
            heard(up, up.ring, false);
        }
    }

    private void sendHeartbeat(Uplink up) {
        up.send(Message.Heartbeat.class, () -> Optional.of(new Message.Heartbeat(rings.mark(), rings.isRotationRequested())));
    }

    /** Sets what this node says of itself when a hub asks. */
    public void report(NodeReport report) {
        inquiry.report(report);
    }

    /**
     * Asks a hub for the reports of all nodes.
     *
     * @param answer gets them, or fails if no hub is reached, or none answers within some seconds
     */
    public void inquire(CompletableFuture<SwarmInquiry.Answer> answer) {
        long number = inquiry.ask(uplinks.values(), answer);
        timer.after(INQUIRY, () -> inquiry.expire(number));
    }

    /** Asks the hubs for a sign of life. */
    public void ping() {
        uplinks.values().stream().filter(up -> up.address.isPresent())
                .forEach(up -> up.send(Message.Ping.class, () -> Optional.of(new Message.Ping())));
    }

    // ---- recall

    private void askForRecall(Uplink up) {
        String hub = up.hub();
        if (recall.ask(hub)) {
            up.send(Message.Recall.class, () -> Optional.of(new Message.Recall()));
            timer.after(RECALL, () -> {
                recall.timeOut(hub);
                endRecall();
            });
        }
    }

    private void recalled(Uplink up, List<NetworkRecord> before) {
        if (!recall.take(up.hub())) {
            return;
        }
        List<Peer> endpoints = new ArrayList<>();
        for (NetworkRecord network : before) {
            for (EndpointRecord endpoint : network.endpoints()) {
                endpoints.add(new Peer(network.id(), endpoint.id(), endpoint.address(), endpoint.mac(), own.vtep().orElseThrow()));
            }
        }
        if (endpoints.isEmpty()) {
            endRecall();
        } else {
            recall.hold();
            events.recalled(endpoints, () -> {
                recall.release();
                endRecall();
            });
        }
    }

    private void endRecall() {
        if (recall.end()) {
            own.revise();
            announce();
        }
    }

    // ---- the rest

    /** Does periodic work; to be called each second. */
    public void tick() {
        events.changed(directory.expire(timer.nanoTime()));
        List<RecordMark> held = directory.held();
        uplinks.values().stream().filter(up -> up.welcomed && !up.feedsHub && !up.held.equals(held)).forEach(this::sendSubscription);
    }

    /** Forgets the node at this address, which the engine calls lost, unless a hub tells of it. */
    public void lost(InetAddress address) {
        events.changed(directory.lost(address));
    }

    /** Forgets the other nodes: this node is of another swarm. */
    public void clear() {
        events.changed(directory.clear());
        refused = List.of();
    }

    /** Closes all sessions with hubs of other processes. */
    public void closeAll(String reason) {
        List.copyOf(uplinks.values()).stream().filter(up -> up.address.isPresent()).forEach(up -> up.channel.close(reason));
    }

    /** Closes sessions with hubs that are no managers any more. */
    public void closeUnless(Predicate<String> isManager) {
        for (Uplink up : List.copyOf(uplinks.values())) {
            if (!isManager.test(up.hub())) {
                up.channel.close("its node is no manager of the swarm");
            }
        }
    }

    /** Returns whether all hubs that are reached have this node's present record. */
    public boolean isHeard() {
        return uplinks.values().stream().allMatch(up -> own.isKnown(up.incarnation, up.revision));
    }

    /** Returns whether all hubs that are reached have heard that this node left. */
    public boolean isGoodbyeHeard() {
        return uplinks.values().stream().allMatch(up -> up.goodbyeHeard);
    }

    /** Returns whether some hub is reached that has told all it knows. */
    public boolean isReached() {
        return directory.isReached();
    }

    /** Returns the hubs of other processes that are reached, and when they last gave a sign of life. */
    public Map<String, Long> hubsHeard() {
        Map<String, Long> heard = new HashMap<>();
        uplinks.values().stream().filter(up -> up.address.isPresent())
                .forEach(up -> heard.put(up.hub(), up.channel.lastReceived()));
        return heard;
    }

    /** Returns the other nodes' endpoints that have effect. */
    public Collection<Peer> peers() {
        return directory.peers();
    }

    /** Returns the other nodes that hubs tell of. */
    public Collection<NodeRecord> nodes() {
        return directory.nodes();
    }

    /** A session with a hub at one moment. */
    public record HubStatus(String node, Optional<InetAddress> address, Duration age, boolean upToDate) {}

    /** Returns the sessions with hubs. */
    public List<HubStatus> hubs() {
        long now = timer.nanoTime();
        return uplinks.values().stream()
                .map(up -> new HubStatus(up.hub(), up.address, Duration.ofNanos(now - up.opened),
                        own.isKnown(up.incarnation, up.revision)))
                .toList();
    }

    /** Returns this node's claims that have no effect, as a hub said last. */
    public List<RefusedClaim> refused() {
        return refused;
    }

    /** Returns how many claims of others contradict this node's engine. */
    public int contradictions() {
        return directory.refused();
    }

    /** Returns how many endpoints this node announces. */
    public int ownEndpoints() {
        return own.endpoints();
    }
}
