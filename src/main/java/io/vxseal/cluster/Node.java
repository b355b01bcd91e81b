package io.vxseal.cluster;

import io.vxseal.cluster.Cluster.Listener;
import io.vxseal.cluster.Cluster.Settings;
import io.vxseal.cluster.Message.Announce;
import io.vxseal.cluster.Message.Ask;
import io.vxseal.cluster.Message.Away;
import io.vxseal.cluster.Message.Beat;
import io.vxseal.cluster.Message.Everything;
import io.vxseal.cluster.Message.Goodbye;
import io.vxseal.cluster.Message.Heard;
import io.vxseal.cluster.Message.Hello;
import io.vxseal.cluster.Message.Own;
import io.vxseal.cluster.Message.Recall;
import io.vxseal.cluster.Message.Recalled;
import io.vxseal.cluster.Message.Ring;
import io.vxseal.cluster.Message.Withdraw;
import io.vxseal.encryption.KeyRing;
import io.vxseal.peers.Peer;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArraySet;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * This node in the cluster: follows the certificates, is in the group, says what it has and hears what others say.
 * Everything happens on one thread, {@link #post}ed to it, but for {@link #status()} and {@link #outlook()}.
 */
final class Node implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Node.class);

    private static final Duration TICK = Duration.ofSeconds(1);
    /** So that the nodes remembered from before are named when the group is sought: joining is better than merging. */
    private static final Duration FIRST_TICK = Duration.ofMillis(50);
    /** How often members tell each other what they have; so well, too, it is known when one was last heard of. */
    static final Duration BEAT = Duration.ofSeconds(5);
    /** A node outside the group is sought this often at first, and this often in the long run. */
    private static final List<Duration> SEEK = List.of(Duration.ZERO, Duration.ofMillis(300), Duration.ofSeconds(1),
            Duration.ofSeconds(2), Duration.ofSeconds(3));
    private static final int SEEK_AFTER_LEAVE = 2;
    /** After a failed start of the group, as when its port is taken. */
    private static final Duration RETRY = Duration.ofSeconds(5);
    /** A renewal replaces files one by one; missing for longer, the swarm was left. */
    private static final Duration LEFT = Duration.ofSeconds(5);
    /** The same unexpected failure is told no more often than this. */
    private static final Duration FAILURE_AGAIN = Duration.ofMinutes(1);

    /** A member that has not said who it is may yet be a manager; for so long key making waits for it. */
    private static final Duration INTRODUCE = Duration.ofSeconds(5);
    /**
     * For how long what a member told outlives its silence.
     *
     * @param silent from when it was last heard of, or from when its silence was noticed if that is later
     * @param away from when one was gone that had said so before
     */
    record Keep(Duration silent, Duration away) {}

    /**
     * A silent one: longer than its plugin takes to be back, and with {@link GroupStack#DETECTION} under 30 s. One
     * that is away: for as long as replacing a plugin by another build may take.
     */
    static final Keep KEEP = new Keep(Duration.ofSeconds(26), Duration.ofMinutes(10));
    private static final Duration KEEP_AT_LEAST = Duration.ofSeconds(5);
    /** Others are given so long to say what this node told them, and that they do not know; they forget it some time after. */
    static final Duration RECALL = Duration.ofSeconds(10);
    /** For all members to hear that this node goes; one that does not answer holds it up no longer. */
    private static final Duration FAREWELL = Duration.ofSeconds(2);
    /** For all of {@link #close}: the engine kills a plugin 10 s after it asked it to end. */
    private static final Duration CLOSE = Duration.ofSeconds(5);
    /** After so long without a majority it is told. */
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private final Settings settings;
    private final ScheduledExecutorService thread;
    private final Outlook outlook;
    private final RingKeeper rings;
    private final Refusals refusals = new Refusals();
    private final Directory directory = new Directory();
    private final CertificateFiles certificates;
    private final ManagerAddresses managerAddresses;
    private final Managers managers = new Managers();
    private final Keep keep;

    private ManagerAddresses.Listing listing = ManagerAddresses.Listing.EMPTY;
    /** Where other nodes are, as Docker says, and where they are no more. */
    private final Set<InetAddress> named = new HashSet<>();
    private final Set<InetAddress> lost = new HashSet<>();
    /** Where to look for members: nodes that Docker named, and managers. Read by the discovery too. */
    private final Collection<InetAddress> nodes = new CopyOnWriteArraySet<>();
    /** Members out of view, and when what they told ends. */
    private final Map<UUID, Long> silent = new HashMap<>();
    /** Since when the next ring waits for a majority. */
    private Optional<Long> outvoted = Optional.empty();
    private boolean outvotedTold;
    private final Map<Own.Id, Own> own = new LinkedHashMap<>();
    private long revision = 1;
    /**
     * Whether this node is to learn from others which endpoints it has. Until it has, it tells nobody which those are: what
     * it does not name, the others take from their kernels.
     */
    private boolean recalling;
    /** The members that were asked, those of them that are yet to answer, and how many answers the listener is yet to deal with. */
    private final Set<UUID> asked = new HashSet<>();
    private final Set<UUID> unanswered = new HashSet<>();
    private int answers;

    private Optional<Addresses> addresses = Optional.empty();
    private Optional<SwarmIdentity> identity = Optional.empty();
    private Optional<Long> identityMissing = Optional.empty();
    private Optional<Group> group = Optional.empty();
    /** The one before, which holds the port until it is closed. */
    private Optional<Group> left = Optional.empty();
    private Optional<String> identityProblem = Optional.empty();
    private Optional<String> groupProblem = Optional.empty();
    private long groups;
    private long notBefore = System.nanoTime();
    private int seeks;
    private long lastBeat = System.nanoTime();
    /** The last unexpected failure that was told, and when. */
    private String failure = "";
    private long failureTold = System.nanoTime();

    private volatile Status status;

    record Addresses(InetAddress advertise, InetAddress bind) {}

    Node(Settings settings, KeyAuthority authority, Keep keep, Listener listener) {
        this.settings = settings;
        this.keep = keep;
        this.outlook = new Outlook(listener);
        this.rings = new RingKeeper(authority, settings.ringFolder().map(RingFile::new), outlook, this::tell);
        this.certificates = new CertificateFiles(settings.certificates());
        this.managerAddresses = new ManagerAddresses(settings.managers());
        this.thread = new ScheduledThreadPoolExecutor(1, Thread.ofPlatform().daemon().name("vxseal-cluster").factory());
        this.status = new Status(Optional.empty(), Optional.empty(), Optional.empty(), Optional.empty(), List.of(),
                Optional.empty(), 0);
    }

    /**
     * Runs on this node's thread, in order; a failure there is told and ends only itself.
     *
     * @return false if this node is closed, and nothing runs any more
     */
    boolean post(Runnable task) {
        return post(Duration.ZERO, task);
    }

    private boolean post(Duration delay, Runnable task) {
        try {
            var _ = thread.schedule(() -> guarded(task), delay.toNanos(), TimeUnit.NANOSECONDS);
            return true;
        } catch (RejectedExecutionException _) {
            return false;
        }
    }

    private void guarded(Runnable task) {
        try {
            task.run();
        } catch (Throwable e) {
            // A task that comes every second may fail every second.
            if (!e.toString().equals(failure) || since(failureTold).compareTo(FAILURE_AGAIN) > 0) {
                failure = e.toString();
                failureTold = System.nanoTime();
                LOG.error("the cluster goes on after an unexpected failure", e);
            }
        }
    }

    // ---- what the engine says

    void self(InetAddress advertise, InetAddress bind) {
        Addresses now = new Addresses(advertise, bind.isAnyLocalAddress() && isLocal(advertise) ? advertise : bind);
        if (addresses.equals(Optional.of(now))) {
            return;
        }
        if (addresses.isEmpty()) {
            post(FIRST_TICK, this::tickOn);
        }
        addresses = Optional.of(now);
        leave(Optional.empty());
    }

    private void tickOn() {
        post(TICK, this::tickOn);
        tick();
    }

    void found(InetAddress node) {
        lost.remove(node);
        named.add(node);
        seekAll();
    }

    /**
     * Docker says so of a node that left the swarm, but also of one that its gossip lost sight of. A member in view is
     * witness enough that it lives; but if it goes now, it is not waited for.
     */
    void lost(InetAddress node) {
        lost.add(node);
        named.remove(node);
        managers.lost(node);
        seekAll();
        outlook.change(directory.lost(node));
    }

    private void seekAll() {
        Set<InetAddress> all = new HashSet<>(named);
        all.addAll(listing.addresses());
        nodes.retainAll(all);
        if (nodes.addAll(all)) {
            seekFromNow(0);
        }
    }

    void announce(Peer peer) {
        Own endpoint = new Own(new Own.Id(peer.network(), peer.endpoint()), peer.address(), peer.mac());
        if (!endpoint.equals(own.put(endpoint.id(), endpoint))) {
            revision++;
            tellChange(new Announce(revision, endpoint));
        }
    }

    void withdraw(String network, String endpoint) {
        Own.Id id = new Own.Id(network, endpoint);
        if (own.remove(id) != null) {
            revision++;
            tellChange(new Withdraw(revision, id));
        }
    }

    void recall() {
        recalling = true;
    }

    private void answered() {
        answers--;
        endRecall();
    }

    private void endRecall() {
        if (recalling && unanswered.isEmpty() && answers == 0) {
            recalling = false;
            group.filter(g -> g.connected).ifPresent(g -> introduce(g, g.view));
        }
    }

    void offer(KeyRing keys) {
        rings.offer(keys);
        takeStatus();
    }

    void rotate() {
        if (rings.wish()) {
            tell(beat());
        }
    }

    // ---- what the swarm's certificates say

    private void tick() {
        readManagers();
        readCertificates();
        if (identity.isPresent() && addresses.isPresent() && mayJoin()) {
            join(identity.get(), addresses.get());
        }
        group.filter(g -> g.connected).ifPresent(g -> {
            if (since(lastBeat).compareTo(BEAT) >= 0) {
                lastBeat = System.nanoTime();
                tell(beat());
            }
            for (UUID member : g.others()) {
                if (!g.known.containsKey(member)) {
                    send(g, member, new Ask());
                }
            }
            Set<String> present = managersPresent(g);
            if (rings.keep(isKeyMaker(g), g.stack.complete(), managers.isMajority(present), since(g.still))) {
                awaitMajority(g, present);
            } else {
                outvoted = Optional.empty();
                outvotedTold = false;
            }
        });
        forgetSilent();
        takeStatus();
    }

    private boolean mayJoin() {
        return group.isEmpty() && left.filter(g -> !g.closed.isDone()).isEmpty() && System.nanoTime() - notBefore >= 0;
    }

    private Beat beat() {
        return new Beat(revision, rings.mark(), rings.wishes());
    }

    private void readManagers() {
        ManagerAddresses.Listing now = managerAddresses.read();
        if (!now.equals(listing)) {
            listing = now;
            managers.listed(now.nodes());
            seekAll();
        }
    }

    private void readCertificates() {
        if (!certificates.changed()) {
            return;
        }
        try {
            SwarmIdentity now = certificates.read();
            identityMissing = Optional.empty();
            identityProblem = Optional.empty();
            if (identity.isEmpty() || !identity.get().same(now)) {
                become(now);
            }
        } catch (IdentityException e) {
            certificates.again();
            if (!identityProblem.equals(Optional.of(e.getMessage()))) {
                identityProblem = Optional.of(e.getMessage());
                if (e.absent) {
                    LOG.info("waiting for the swarm's certificates: {}", e.getMessage());
                } else {
                    LOG.error("no cluster: {}", e.getMessage());
                }
            }
            if (e.absent && identity.isPresent()) {
                long missing = identityMissing.orElseGet(System::nanoTime);
                identityMissing = Optional.of(missing);
                if (since(missing).compareTo(LEFT) > 0) {
                    LOG.info("the certificates are gone: this node left swarm {}", identity.get().name().swarm());
                    leaveSwarm();
                    identity = Optional.empty();
                }
            }
        }
    }

    /** The certificates are new, renewed, or of another swarm. */
    private void become(SwarmIdentity now) {
        boolean sameSwarm = identity.filter(before -> before.name().swarm().equals(now.name().swarm())).isPresent();
        boolean sameNode = sameSwarm && identity.get().name().node().equals(now.name().node());
        LOG.info("this is node {}, {} of swarm {}", now.name().node(), now.name().role(), now.name().swarm());
        if (!sameNode) {
            leaveSwarm();
        }
        identity = Optional.of(now);
        rings.become(now);
        takeStatus();
        group.ifPresent(g -> {
            g.still = System.nanoTime();
            g.stack.reload(now);
            g.greeting = Optional.empty();
            g.known.replaceAll((_, known) -> known.toBeProvedAgain());
            if (g.connected) {
                tell(greeting(g));
            }
        });
    }

    // ---- the group

    private void join(SwarmIdentity as, Addresses at) {
        notBefore = System.nanoTime() + RETRY.toNanos();
        // The address Docker gives may be one that only others can use, as behind NAT: then say so, but bind here.
        Optional<InetAddress> external = at.advertise().equals(at.bind()) || isLocal(at.advertise())
                ? Optional.empty() : Optional.of(at.advertise());
        try {
            long number = ++groups;
            GroupStack stack = new GroupStack(as, at.bind(), external, settings.port(), nodes, refusals,
                    new GroupStack.Events() {
                        @Override
                        public void view(List<UUID> members, boolean merged) {
                            post(() -> {
                                in(number).ifPresent(g -> Node.this.view(g, members, merged));
                                leaving(number).ifPresent(g -> stillThere(g, members));
                            });
                        }

                        @Override
                        public void met(UUID stranger) {
                            post(() -> in(number).ifPresent(g -> Node.this.met(g, stranger)));
                        }

                        @Override
                        public void message(UUID from, byte[] octets) {
                            post(() -> {
                                in(number).ifPresent(g -> Node.this.message(g, from, octets));
                                leaving(number).ifPresent(g -> lastWord(g, from, octets));
                            });
                        }
                    });
            Group joining = new Group(number, stack, at);
            group = Optional.of(joining);
            Thread.ofVirtual().name("vxseal-join").start(() -> {
                try {
                    stack.connect();
                    if (!post(() -> joined(joining))) {
                        joining.close();
                    }
                } catch (Throwable e) {
                    joining.close();
                    post(() -> in(number).ifPresent(g -> failed(g, e)));
                }
            });
        } catch (Throwable e) {
            failed(at, e);
        }
    }

    /** The group of this number, unless this node has left it. */
    private Optional<Group> in(long number) {
        return group.filter(g -> g.number == number);
    }

    /** The group of this number, if this node is on its way out of it. */
    private Optional<Group> leaving(long number) {
        return left.filter(g -> g.number == number);
    }

    private void joined(Group joining) {
        in(joining.number).ifPresentOrElse(g -> {
            g.connected = true;
            groupProblem = Optional.empty();
            LOG.info("in the group at {}:{} with {} members",
                    g.addresses.bind().getHostAddress(), settings.port(), g.view.size());
            introduce(g, g.view);
            seekFromNow(0);
            takeStatus();
        }, joining::close);
    }

    private void failed(Group in, Throwable why) {
        group = Optional.empty();
        left = Optional.of(in);
        failed(in.addresses, why);
    }

    private void failed(Addresses at, Throwable why) {
        Throwable cause = why.getCause() == null ? why : why.getCause();
        String text = "cannot listen or join at %s:%d: %s"
                .formatted(at.bind().getHostAddress(), settings.port(), cause.getMessage());
        if (!groupProblem.equals(Optional.of(text))) {
            groupProblem = Optional.of(text);
            if (why instanceof Error) {
                LOG.error("no cluster, trying on: {}", text, why);
            } else {
                LOG.error("no cluster, trying on: {}", text);
            }
        }
    }

    /** This node is of the swarm no more: the others' endpoints go, the ring and this node's own endpoints stay. */
    private void leaveSwarm() {
        leave(Optional.of(new Goodbye()));
        silent.clear();
        outlook.change(directory.clear());
        managers.forget();
    }

    /**
     * Out of the group, if in one; what its members told stands as if they had fallen silent. With a last word, this node
     * stays a member until all have answered that: JGroups closes connections with what they still have to send, and
     * leaving overtakes what was sent before.
     */
    private void leave(Optional<Message> lastWord) {
        notBefore = System.nanoTime();
        group.ifPresent(g -> {
            if (g.connected && lastWord.isPresent()) {
                tell(lastWord.get());
                g.unaware.addAll(g.others());
            }
            group = Optional.empty();
            left = Optional.of(g);
            List.copyOf(g.known.keySet()).forEach(member -> departed(g, member));
            // A group on its way in is closed when it arrives: JGroups cannot be interrupted there.
            if (g.connected) {
                post(FAREWELL, g::close);
                g.closeOnceHeard();
            }
        });
    }

    private static void stillThere(Group left, List<UUID> members) {
        left.unaware.retainAll(members);
        left.closeOnceHeard();
    }

    /** All that counts in a group which this node is leaving. Others may be leaving too, and wait for an answer. */
    private void lastWord(Group left, UUID from, byte[] octets) {
        try {
            switch (Wire.decode(octets)) {
                case Heard() -> {
                    left.unaware.remove(from);
                    left.closeOnceHeard();
                }
                case Goodbye(), Away() -> send(left, from, new Heard());
                default -> { }
            }
        } catch (RefusedException e) {
            refuse(left, from, e.getMessage());
        }
    }

    private void view(Group in, List<UUID> members, boolean merged) {
        List<UUID> joined = members.stream().filter(member -> !in.view.contains(member)).toList();
        List<UUID> left = in.view.stream().filter(member -> !members.contains(member)).toList();
        in.view = List.copyOf(members);
        in.still = System.nanoTime();
        in.strangers.keySet().removeAll(members);
        in.owed.retainAll(members);
        joined.forEach(member -> {
            in.since.put(member, in.still);
            in.heard.put(member, in.still);
            if (in.known.containsKey(member)) {
                silent.remove(member);
            }
        });
        left.forEach(member -> departed(in, member));
        LOG.info("the group has {} members: {} joined, {} left{}", members.size(), joined.size(), left.size(),
                merged ? ", groups merged" : "");
        if (in.connected) {
            // After a merge some may have dropped this member although this one did not drop them.
            introduce(in, merged ? members : joined);
            // One that is just leaving would answer yet.
            seekFromNow(left.isEmpty() ? 0 : SEEK_AFTER_LEAVE);
        }
        takeStatus();
    }

    /** A member is gone from the view: its plugin died, its host, or the way to it; or it is being replaced. */
    private void departed(Group from, UUID member) {
        from.since.remove(member);
        long heard = Optional.ofNullable(from.heard.remove(member)).orElseGet(System::nanoTime);
        Group.Known known = from.known.remove(member);
        if (known == null) {
            // It told nothing, or nothing since it fell silent before.
            return;
        }
        if (lost.contains(known.vtep())) {
            outlook.change(directory.gone(member));
        } else {
            outlook.change(directory.silent(member));
            Duration least = keep.silent().compareTo(KEEP_AT_LEAST) < 0 ? keep.silent() : KEEP_AT_LEAST;
            long end = Math.max(heard + keep.silent().toNanos(), System.nanoTime() + least.toNanos());
            silent.put(member, from.away.remove(member) ? endOfAway() : end);
        }
    }

    private long endOfAway() {
        return System.nanoTime() + keep.away().toNanos();
    }

    private void forgetSilent() {
        long now = System.nanoTime();
        silent.entrySet().removeIf(member -> {
            boolean over = now - member.getValue() >= 0;
            if (over) {
                outlook.change(directory.gone(member.getKey()));
                // Met, but never seen in the view.
                group.ifPresent(g -> g.known.remove(member.getKey()));
            }
            return over;
        });
    }

    /** Endpoints and keys do not wait for groups to merge, which takes a few more messages. */
    private void met(Group in, UUID stranger) {
        // It says over and over that it is there.
        if (in.connected && !in.view.contains(stranger) && !in.known.containsKey(stranger) && !in.owed.contains(stranger)) {
            introduce(in, List.of(stranger));
        }
    }

    private void introduce(Group to, List<UUID> members) {
        List<UUID> others = members.stream().filter(member -> !member.equals(to.stack.self())).toList();
        if (others.isEmpty() || identity.isEmpty()) {
            return;
        }
        byte[] hello = Wire.encode(greeting(to));
        others.forEach(member -> send(to, member, hello));
        if (recalling) {
            recallFrom(to, others);
        } else {
            to.owed.addAll(others);
            others.stream().filter(to.known::containsKey).forEach(member -> settle(to, member));
        }
    }

    /** Signed once: after a cut, members greet each other several times in a second, and signatures cost the most of that. */
    private Hello greeting(Group in) {
        Hello greeting = in.greeting.orElseGet(() ->
                Introduction.make(identity.orElseThrow(), in.stack.self(), in.addresses.advertise(), rings.mark()));
        in.greeting = Optional.of(greeting);
        return greeting.with(rings.mark());
    }

    /** All endpoints here, to a member that is owed them. */
    private void settle(Group in, UUID member) {
        if (in.owed.remove(member)) {
            send(in, member, new Everything(revision, List.copyOf(own.values())));
        }
    }

    /** Asks each once; again only if it did not answer. */
    private void recallFrom(Group in, List<UUID> members) {
        byte[] recall = Wire.encode(new Recall());
        for (UUID member : members) {
            if (asked.add(member)) {
                unanswered.add(member);
                post(RECALL, () -> {
                    unanswered.remove(member);
                    endRecall();
                });
            }
            if (unanswered.contains(member)) {
                send(in, member, recall);
            }
        }
    }

    private void seekFromNow(int step) {
        seeks++;
        seek(seeks, step);
    }

    /** Looks for nodes that are not in the group, more and more seldom, until all are or something changes. */
    private void seek(int round, int step) {
        Duration delay = SEEK.get(Math.min(step, SEEK.size() - 1));
        post(delay, () -> {
            if (round == seeks) {
                group.filter(g -> g.connected).ifPresent(g -> {
                    if (step == 0 || !g.stack.complete()) {
                        g.stack.seek();
                        seek(round, step + 1);
                    }
                });
            }
        });
    }

    /** What changes while this node recalls its endpoints is told with all of them: nobody could take it before. */
    private void tellChange(Message change) {
        if (!recalling) {
            tell(change);
        }
    }

    private void tell(Message message) {
        group.filter(g -> g.connected).ifPresent(g -> {
            byte[] octets = Wire.encode(message);
            g.others().forEach(member -> send(g, member, octets));
        });
    }

    private void send(Group to, UUID member, Message message) {
        send(to, member, Wire.encode(message));
    }

    private void send(Group to, UUID member, byte[] octets) {
        try {
            to.stack.send(member, octets);
        } catch (Exception e) {
            // The next beat finds what the member missed.
            LOG.debug("not sent to {}: {}", member, e.toString());
        }
    }

    // ---- what other members say

    private void message(Group in, UUID from, byte[] octets) {
        in.heard.computeIfPresent(from, (_, _) -> System.nanoTime());
        if (in.connected && !in.view.contains(from) && in.isCrossed(from)) {
            LOG.warn("member {} is in another group that has this node, too: joining again", from);
            leave(Optional.empty());
            return;
        }
        try {
            receive(in, from, Wire.decode(octets));
        } catch (RefusedException e) {
            refuse(in, from, e.getMessage());
        } catch (RuntimeException e) {
            refuse(in, from, "message that could not be dealt with: " + e);
        }
    }

    private void refuse(Group in, UUID from, String why) {
        Group.Known known = in.known.get(from);
        refusals.refuse(known == null ? "member " + from : "node " + known.name().node(), why);
    }

    private void receive(Group in, UUID from, Message message) throws RefusedException {
        switch (message) {
            case Hello hello -> {
                Group.Known known = in.known.get(from);
                if (known == null || !known.proved(hello)) {
                    known = Group.Known.of(Introduction.check(identity.orElseThrow(), from, hello), hello);
                    in.known.put(from, known);
                }
                if (in.view.contains(from)) {
                    silent.remove(from);
                } else {
                    // On its way in, or on its way out: if it is never seen in the view, nobody tells when it goes.
                    silent.put(from, System.nanoTime() + keep.silent().toNanos());
                }
                managers.met(known.name(), hello.vtep());
                outlook.change(directory.hello(from, known.name().node(), hello.vtep()));
                takeStatus();
                helpBehind(in, from, hello.ring());
                settle(in, from);
            }
            case Ring(var octets) -> {
                rings.take(octets);
                takeStatus();
            }
            case Ask() -> introduce(in, List.of(from));
            case Goodbye() -> {
                outlook.change(directory.gone(from));
                send(in, from, new Heard());
            }
            case Away() -> {
                in.away.add(from);
                silent.computeIfPresent(from, (_, _) -> endOfAway());
                send(in, from, new Heard());
            }
            case Heard() -> { }
            case Recall() -> {
                if (isKnown(in, from)) {
                    send(in, from, new Recalled(directory.toldBy(in.known.get(from).name().node())));
                }
            }
            case Recalled(var endpoints) -> {
                if (recalling && isKnown(in, from) && unanswered.remove(from)) {
                    if (endpoints.isEmpty()) {
                        endRecall();
                        return;
                    }
                    List<Peer> before = endpoints.stream()
                            .map(each -> new Peer(each.id().network(), each.id().endpoint(), each.address(), each.mac(),
                                    in.addresses.advertise()))
                            .toList();
                    answers++;
                    outlook.recalled(before, () -> post(this::answered));
                }
            }
            case Everything(var at, var endpoints) -> {
                if (isKnown(in, from)) {
                    outlook.change(directory.everything(from, at, endpoints));
                }
            }
            case Announce(var at, var endpoint) -> {
                if (isKnown(in, from) && isNext(in, from, at)) {
                    outlook.change(directory.announce(from, at, endpoint));
                }
            }
            case Withdraw(var at, var endpoint) -> {
                if (isKnown(in, from) && isNext(in, from, at)) {
                    outlook.change(directory.withdraw(from, at, endpoint));
                }
            }
            case Beat(var at, var theirs, var rotate) -> {
                boolean known = isKnown(in, from);
                if (known && !directory.revision(from).equals(Optional.of(at))) {
                    send(in, from, new Ask());
                }
                if (known && rotate) {
                    rings.wished(theirs);
                }
                helpBehind(in, from, theirs);
            }
        }
    }

    /** A member speaks only after it said who it is; if that got lost, it is asked. */
    private boolean isKnown(Group in, UUID from) {
        if (in.known.containsKey(from) && directory.knows(from)) {
            return true;
        }
        send(in, from, new Ask());
        return false;
    }

    private boolean isNext(Group in, UUID from, long at) {
        if (directory.follows(from, at)) {
            return true;
        }
        // Older than what is known here: said before the whole set that came since. Newer: something is missing.
        if (directory.revision(from).filter(now -> at <= now).isEmpty()) {
            send(in, from, new Ask());
        }
        return false;
    }

    private void helpBehind(Group in, UUID member, SignedRing.Mark theirs) {
        rings.newerThan(theirs).ifPresent(ring -> send(in, member, ring));
    }

    // ---- the ring

    /** The first manager in the view makes the rings. A member before it that is still unknown may be that one. */
    private boolean isKeyMaker(Group in) {
        if (identity.orElseThrow().name().role() != Role.MANAGER) {
            return false;
        }
        for (UUID member : in.view) {
            if (member.equals(in.stack.self())) {
                return true;
            }
            Group.Known known = in.known.get(member);
            if (known == null ? since(in.still).compareTo(INTRODUCE) < 0 : known.name().role() == Role.MANAGER) {
                return false;
            }
        }
        return false;
    }

    /** The managers that this node has just heard of, by their ids, itself among them. */
    private Set<String> managersPresent(Group in) {
        Set<String> present = new HashSet<>();
        name().filter(self -> self.role() == Role.MANAGER).ifPresent(self -> present.add(self.node()));
        in.known.forEach((member, known) -> {
            if (known.name().role() == Role.MANAGER && in.isFresh(member)) {
                present.add(known.name().node());
            }
        });
        return present;
    }

    private void awaitMajority(Group in, Set<String> present) {
        in.known.forEach((member, known) -> {
            if (known.name().role() == Role.MANAGER && !in.isFresh(member)) {
                send(in, member, new Ask());
            }
        });
        long began = outvoted.orElseGet(System::nanoTime);
        outvoted = Optional.of(began);
        if (!outvotedTold && since(began).compareTo(PATIENCE) >= 0) {
            outvotedTold = true;
            LOG.warn("the keys are due for rotation, which waits for a majority of the managers: {} of {} are in the group; "
                    + "is the plugin enabled on all of them?", present.size(), managers.count(present));
        }
    }

    // ---- what others read

    Outlook outlook() {
        return outlook;
    }

    Status status() {
        Status s = status;
        return new Status(s.swarm(), s.node(), s.coordinator(), s.problem(), s.members(), s.ring(), refusals.count());
    }

    private void takeStatus() {
        List<Status.Member> members = new ArrayList<>();
        Optional<Group> in = group.filter(g -> g.connected);
        in.ifPresent(g -> g.view.forEach(member -> members.add(member(g, member))));
        status = new Status(name().map(NodeName::swarm), name().map(NodeName::node),
                members.stream().findFirst().flatMap(Status.Member::node),
                identityProblem.or(() -> groupProblem), List.copyOf(members), rings.status(), 0);
    }

    private Status.Member member(Group in, UUID member) {
        Duration age = since(in.since.getOrDefault(member, in.still));
        if (member.equals(in.stack.self())) {
            return new Status.Member(name().map(NodeName::node), name().map(NodeName::role),
                    Optional.of(in.addresses.advertise()), own.size(), age);
        }
        Optional<Group.Known> known = Optional.ofNullable(in.known.get(member));
        return new Status.Member(known.map(k -> k.name().node()), known.map(k -> k.name().role()),
                known.map(Group.Known::vtep), directory.count(member), age);
    }

    private Optional<NodeName> name() {
        return identity.map(SwarmIdentity::name);
    }

    static Duration since(long nanos) {
        return Duration.ofNanos(System.nanoTime() - nanos);
    }

    private static boolean isLocal(InetAddress address) {
        try {
            return NetworkInterface.getByInetAddress(address) != null;
        } catch (SocketException _) {
            return false;
        }
    }

    @Override
    @SuppressWarnings("FutureReturnValueIgnored") // the inner one is composed, and get() waits for both
    public void close() {
        if (thread.isShutdown()) {
            return;
        }
        outlook.close();
        try {
            CompletableFuture.supplyAsync(this::leaveForGood, thread)
                    .thenCompose(closed -> closed).get(CLOSE.toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException | TimeoutException | RejectedExecutionException e) {
            LOG.warn("the group was not left in good order: {}", e.toString());
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
        thread.shutdownNow();
    }

    /** @return done when the group is closed; one on its way in is not waited for, nobody knows of it */
    private CompletableFuture<Void> leaveForGood() {
        leave(Optional.of(new Away()));
        // Or the next tick joins again.
        addresses = Optional.empty();
        return left.filter(g -> g.connected).map(g -> g.closed).orElse(CompletableFuture.completedFuture(null));
    }
}
