package io.vxseal.cluster.node;

import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.MessageChannel;
import io.vxseal.cluster.message.Timer;
import io.vxseal.cluster.record.HubView.Retention;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.cluster.record.NodeReport;
import io.vxseal.cluster.record.RecordMark;
import io.vxseal.cluster.record.RefusedClaim;
import io.vxseal.cluster.record.SubnetRecord;
import io.vxseal.cluster.refusal.Refusal;
import io.vxseal.cluster.refusal.RefusalListener;
import io.vxseal.cluster.ring.RingKeeper;
import io.vxseal.peers.Peer;
import io.vxseal.swarm.NodeName;
import java.net.InetAddress;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.Predicate;
import java.util.random.RandomGenerator;

/**
 * This node's sessions with hubs: announces its record to each, and receives those of the other nodes.
 *
 * <p>Pure, one thread.
 */
public final class ClusterNode {
    /** Longest time in which this node learns from hubs what it announced before. */
    public static final Duration RECALL = EndpointRecall.TIME;

    /** Time for a hub to answer an inquiry, for which it asks all nodes. */
    public static final Duration INQUIRY = Duration.ofSeconds(8);

    private final Timer timer;
    private final NodeListener listener;
    private final RefusalListener refusals;
    private final Directory directory;
    private final Uplinks uplinks = new Uplinks();
    private final RingExchange rings;
    private final OwnRecord own;
    private final EndpointRecall recall;
    private final SwarmInquiry inquiry = new SwarmInquiry();
    private final PathAnswers paths;

    /** A node without networks and records. */
    public ClusterNode(Retention retention, Timer timer, RandomGenerator random, RingKeeper rings, NodeListener listener,
            RefusalListener refusals) {
        this.timer = timer;
        this.rings = new RingExchange(rings, uplinks, refusals);
        this.listener = listener;
        this.refusals = refusals;
        this.directory = new Directory(retention);
        this.paths = new PathAnswers(listener);
        this.recall = new EndpointRecall(timer, listener, this::announceAnew);
        this.own = OwnRecord.ofNewProcess(timer.wallTime(), random);
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
            listener.changed(directory.subscribe(network, subnets));
            uplinks.all().forEach(this::sendSubscription);
            announce();
        }
    }

    /** Ends the subscription to a network. */
    public void unsubscribe(String network) {
        if (own.removeNetwork(network)) {
            listener.changed(directory.unsubscribe(network));
            uplinks.all().forEach(this::sendSubscription);
            announce();
        }
    }

    /** Announces how the engine defined a network for the swarm. */
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

    /** Announces that this process ends and may be back. */
    public void away() {
        own.away();
        announce();
    }

    /** Announces that this node left the swarm. */
    public void goodbye() {
        own.revise();
        uplinks.all().forEach(up -> up.send(Message.Goodbye.class,
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
        uplinks.all().forEach(this::sendRecord);
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
        Uplink up = new Uplink(channel, address, address.isPresent() && uplinks.hasOwnHub(), timer.nanoTime());
        uplinks.add(up).ifPresent(before -> {
            lost(before);
            before.channel.close("replaced by a newer session");
        });
        rings.sendHello(up);
        sendSubscription(up);
    }

    private void sendSubscription(Uplink up) {
        up.send(Message.Subscribe.class, () -> {
            if (up.feedsHub) {
                // A manager's hub passes the records of other hubs on to its own node, judged.
                return Optional.of(new Message.Subscribe(Set.of(), true));
            }
            up.held = directory.held();
            return Optional.of(new Message.Subscribe(own.networks(), false, up.held));
        });
    }

    /** Takes a message of a hub. */
    public void received(MessageChannel channel, Message message) {
        uplinks.over(channel).ifPresent(up -> receive(up, message));
    }

    private void receive(Uplink up, Message message) {
        switch (message) {
            case Message.Welcome welcome -> welcomed(up, welcome);
            case Message.Records records -> {
                if (up.feedsHub) {
                    listener.recordsReceived(up.hub(), records);
                } else {
                    listener.changed(directory.received(up.hub(), records, timer.nanoTime()));
                }
            }
            case Message.Acknowledge(var atIncarnation, var atRevision, var claims) -> {
                up.goodbyeHeard |= atIncarnation == 0;
                up.incarnation = atIncarnation;
                up.revision = atRevision;
                own.refused(claims);
                outdo(up);
            }
            case Message.Ring(var octets) -> rings.take(up, octets);
            case Message.Heartbeat(var ring, var rotate) -> rings.received(up, ring, rotate);
            case Message.RecallReply(var networks) -> recall.take(up, own.peers(networks));
            case Message.Ping() -> rings.sendHeartbeat(up);
            case Message.RecallRequest() -> up.send(Message.RecallReply.class, () -> Optional.of(new Message.RecallReply(directory.networks(up.hub()))));
            case Message.ReportRequest(var round) -> inquiry.answer(up, round);
            case Message.Reports reports -> inquiry.take(up.hub(), reports);
            case Message.CheckRequest(var round) -> paths.request(up, round);
            case Message.Hello _, Message.Revoked _, Message.Subscribe _, Message.Announce _, Message.Goodbye _, Message.Inquiry _, Message.Report _,
                    Message.CheckResult _ ->
                refusals.refused(Refusal.SENDER, up.hub(), "a message that only nodes send");
        }
    }

    private void welcomed(Uplink up, Message.Welcome welcome) {
        up.welcomed = true;
        up.incarnation = welcome.incarnation();
        up.revision = welcome.revision();
        if (up.feedsHub) {
            listener.hubOpened(up.hub(), welcome.hub());
        } else {
            listener.changed(directory.opened(up.hub(), welcome.hub(),
                    timer.nanoTime() - Duration.ofMillis(welcome.readyMillis()).toNanos()));
        }
        rings.received(up, welcome.ring(), welcome.rotate());
        if (recall.isRunning()) {
            recall.ask(up);
        } else if (!outdo(up)) {
            sendRecord(up);
        }
    }

    private boolean outdo(Uplink up) {
        boolean needed = own.outdo(up.incarnation);
        announceIf(needed);
        return needed;
    }

    /** Goes on sending: the session's queue has room again. */
    public void drained(MessageChannel channel) {
        uplinks.over(channel).ifPresent(Uplink::drained);
    }

    /** Ends a session with a hub. */
    public void closed(MessageChannel channel) {
        uplinks.over(channel).ifPresent(up -> {
            uplinks.remove(up);
            lost(up);
        });
    }

    private void lost(Uplink up) {
        inquiry.lost(up.hub());
        paths.lost(up);
        if (up.feedsHub) {
            listener.hubClosed(up.hub());
        } else {
            listener.changed(directory.closed(up.hub(), timer.nanoTime()));
        }
        recall.closed(up.hub());
    }

    /** Reports to the hubs that the ring changed, or that it should be replaced. */
    public void ringChanged() {
        rings.changed();
    }

    /** Sets this node's report for a hub that asks. */
    public void report(NodeReport report) {
        inquiry.report(report);
    }

    /**
     * Asks a hub for the reports of all nodes.
     *
     * @param answer gets them, or fails if no hub is reached, or none answers within some seconds
     */
    public void inquire(CompletableFuture<SwarmInquiry.Answer> answer) {
        long number = inquiry.ask(uplinks.all(), answer);
        timer.after(INQUIRY, () -> inquiry.expire(number));
    }

    /** Asks the hubs for a sign of life. */
    public void ping() {
        uplinks.remote().forEach(up -> up.send(Message.Ping.class, () -> Optional.of(new Message.Ping())));
    }

    private void announceAnew() {
        own.revise();
        announce();
    }

    // ---- the rest

    /** Does periodic work; to be called each second. */
    public void tick() {
        listener.changed(directory.expire(timer.nanoTime()));
        List<RecordMark> held = directory.held();
        uplinks.all().stream().filter(up -> up.welcomed && !up.feedsHub && !up.held.equals(held)).forEach(this::sendSubscription);
    }

    /** Forgets the node at this address, which the engine calls lost, unless a hub has its record. */
    public void lost(InetAddress address) {
        listener.changed(directory.lost(address));
    }

    /** Forgets the other nodes: this node is of another swarm. */
    public void clear() {
        listener.changed(directory.clear());
        own.refused(List.of());
    }

    /** Closes all sessions with hubs of other processes. */
    public void closeAll(String reason) {
        uplinks.close(up -> up.address.isPresent(), reason);
    }

    /** Closes sessions with hubs that are no managers any more. */
    public void closeUnless(Predicate<String> isManager) {
        uplinks.close(up -> !isManager.test(up.hub()), "its node is no manager of the swarm");
    }

    /** Returns whether all hubs that are reached have this node's present record. */
    public boolean isHeard() {
        return uplinks.all().stream().allMatch(up -> own.isKnown(up.incarnation, up.revision));
    }

    /** Returns whether all hubs that are reached have received that this node left. */
    public boolean isGoodbyeHeard() {
        return uplinks.all().stream().allMatch(up -> up.goodbyeHeard);
    }

    /** Returns whether some hub is reached that has sent all its records. */
    public boolean isReached() {
        return directory.isReached();
    }

    /** Returns the hubs of other processes that are reached, and when they last gave a sign of life. */
    public Map<String, Long> hubsLastReceived() {
        return uplinks.lastReceived();
    }

    /** Returns the records of other nodes that hubs sent. */
    public Collection<NodeRecord> nodes() {
        return directory.nodes();
    }

    /** Returns the sessions with hubs. */
    public List<HubStatus> hubs() {
        long now = timer.nanoTime();
        return uplinks.all().stream()
                .map(up -> new HubStatus(up.hub(), up.address, Duration.ofNanos(now - up.opened),
                        own.isKnown(up.incarnation, up.revision), up.channel.clockAhead()))
                .toList();
    }

    /** Returns this node's claims that have no effect, as a hub sent them last. */
    public List<RefusedClaim> refused() {
        return own.refused();
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
