package io.vxseal.cluster;

import io.vxseal.cluster.Cluster.Listener;
import io.vxseal.cluster.Cluster.Settings;
import io.vxseal.cluster.Message.Announce;
import io.vxseal.cluster.Message.Ask;
import io.vxseal.cluster.Message.Beat;
import io.vxseal.cluster.Message.Everything;
import io.vxseal.cluster.Message.Hello;
import io.vxseal.cluster.Message.Own;
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
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
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
    /** How often members tell each other what they have. */
    private static final Duration BEAT = Duration.ofSeconds(15);
    /** A node outside the group is sought this often at first, and this often in the long run. */
    private static final List<Duration> SEEK = List.of(Duration.ZERO, Duration.ofMillis(300), Duration.ofSeconds(1),
            Duration.ofSeconds(2), Duration.ofSeconds(3), Duration.ofSeconds(5));
    private static final int SEEK_AFTER_LEAVE = 2;
    /** After a failed start of the group, as when its port is taken. */
    private static final Duration RETRY = Duration.ofSeconds(5);
    /** A renewal replaces files one by one; missing for longer, the swarm was left. */
    private static final Duration LEFT = Duration.ofSeconds(5);
    /** A member that has not said who it is may yet be a manager; for so long key making waits for it. */
    private static final Duration INTRODUCE = Duration.ofSeconds(5);

    private final Settings settings;
    private final ScheduledExecutorService thread;
    private final Outlook outlook;
    private final RingKeeper rings;
    private final Refusals refusals = new Refusals();
    private final Directory directory = new Directory();
    private final CertificateFiles certificates;
    private final ManagerAddresses managerAddresses;
    private Set<InetAddress> managers = Set.of();

    /** As Docker named them; read by the discovery too. */
    private final Collection<InetAddress> nodes = new CopyOnWriteArraySet<>();
    private final Map<Own.Id, Own> own = new LinkedHashMap<>();
    private long revision = 1;

    private Optional<Addresses> addresses = Optional.empty();
    private Optional<SwarmIdentity> identity = Optional.empty();
    private Optional<Long> identityMissing = Optional.empty();
    private Optional<Group> group = Optional.empty();
    private Optional<String> identityProblem = Optional.empty();
    private Optional<String> groupProblem = Optional.empty();
    private long groups;
    private long notBefore = System.nanoTime();
    private int seeks;
    private long lastBeat = System.nanoTime();

    private volatile Status status;

    private record Addresses(InetAddress advertise, InetAddress bind) {}

    /** The group this node is in, or on its way to. */
    private static final class Group {
        final long number;
        final GroupStack stack;
        final Addresses addresses;
        boolean connected;
        List<UUID> view = List.of();
        /** Since when neither the view nor this node's role in it changed. */
        long still = System.nanoTime();
        final Map<UUID, Long> since = new HashMap<>();
        final Map<UUID, Known> known = new HashMap<>();

        Group(long number, GroupStack stack, Addresses addresses) {
            this.number = number;
            this.stack = stack;
            this.addresses = addresses;
        }
    }

    /** Who a member is, as it proved. */
    private record Known(NodeName name, InetAddress vtep) {}

    Node(Settings settings, Listener listener) {
        this.settings = settings;
        this.outlook = new Outlook(listener);
        this.rings = new RingKeeper(new KeyAuthority(settings.rotation()), settings.ringFolder().map(RingFile::new), outlook,
                this::tell);
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
            thread.schedule(() -> guarded(task), delay.toNanos(), TimeUnit.NANOSECONDS);
            return true;
        } catch (RejectedExecutionException _) {
            return false;
        }
    }

    private static void guarded(Runnable task) {
        try {
            task.run();
        } catch (RuntimeException e) {
            LOG.error("the cluster goes on after an unexpected failure", e);
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
        leave();
    }

    private void tickOn() {
        post(TICK, this::tickOn);
        tick();
    }

    void found(InetAddress node) {
        if (nodes.contains(node)) {
            return;
        }
        nodes.add(node);
        seekFromNow(0);
    }

    void lost(InetAddress node) {
        nodes.remove(node);
    }

    void announce(Peer peer) {
        Own endpoint = new Own(new Own.Id(peer.network(), peer.endpoint()), peer.address(), peer.mac());
        if (!endpoint.equals(own.put(endpoint.id(), endpoint))) {
            revision++;
            tell(new Announce(revision, endpoint));
        }
    }

    void withdraw(String network, String endpoint) {
        Own.Id id = new Own.Id(network, endpoint);
        if (own.remove(id) != null) {
            revision++;
            tell(new Withdraw(revision, id));
        }
    }

    void offer(KeyRing keys) {
        rings.offer(keys);
        takeStatus();
    }

    // ---- what the swarm's certificates say

    private void tick() {
        readManagers();
        readCertificates();
        if (group.isEmpty() && identity.isPresent() && addresses.isPresent() && System.nanoTime() - notBefore >= 0) {
            join(identity.get(), addresses.get());
        }
        group.filter(g -> g.connected).ifPresent(g -> {
            if (since(lastBeat).compareTo(BEAT) >= 0) {
                lastBeat = System.nanoTime();
                tell(new Beat(revision, rings.mark()));
            }
            for (UUID member : g.view) {
                if (!g.known.containsKey(member) && !member.equals(g.stack.self())) {
                    send(g, member, new Ask());
                }
            }
            rings.keep(isKeyMaker(g), g.stack.complete(), majority(), since(g.still));
        });
        takeStatus();
    }

    private void readManagers() {
        Set<InetAddress> now = managerAddresses.read();
        if (!now.equals(managers)) {
            managers.stream().filter(gone -> !now.contains(gone)).forEach(this::lost);
            managers = now;
            now.forEach(this::found);
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
                    identity = Optional.empty();
                    leave();
                }
            }
        }
    }

    /** The certificates are new, renewed, or of another swarm. */
    private void become(SwarmIdentity now) {
        boolean sameSwarm = identity.filter(before -> before.name().swarm().equals(now.name().swarm())).isPresent();
        boolean sameNode = sameSwarm && identity.get().name().node().equals(now.name().node());
        LOG.info("this is node {}, {} of swarm {}", now.name().node(), now.name().role(), now.name().swarm());
        identity = Optional.of(now);
        if (!sameNode) {
            leave();
        }
        rings.become(now);
        takeStatus();
        group.ifPresent(g -> {
            g.still = System.nanoTime();
            g.stack.reload(now);
            if (g.connected) {
                tell(Introduction.make(now, g.stack.self(), g.addresses.advertise(), rings.mark()));
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
                            post(() -> in(number).ifPresent(g -> Node.this.view(g, members, merged)));
                        }

                        @Override
                        public void message(UUID from, byte[] octets) {
                            post(() -> in(number).ifPresent(g -> Node.this.message(g, from, octets)));
                        }
                    });
            group = Optional.of(new Group(number, stack, at));
            Thread.ofVirtual().name("vxseal-join").start(() -> {
                try {
                    stack.connect();
                    if (!post(() -> joined(number, stack))) {
                        stack.close();
                    }
                } catch (Exception e) {
                    stack.close();
                    post(() -> in(number).ifPresent(g -> failed(g, e)));
                }
            });
        } catch (Exception e) {
            failed(at, e);
        }
    }

    /** The group of this number, unless this node has left it. */
    private Optional<Group> in(long number) {
        return group.filter(g -> g.number == number);
    }

    private void joined(long number, GroupStack stack) {
        in(number).ifPresentOrElse(g -> {
            g.connected = true;
            groupProblem = Optional.empty();
            LOG.info("in the group at {}:{} with {} members",
                    g.addresses.bind().getHostAddress(), settings.port(), g.view.size());
            introduce(g, g.view);
            seekFromNow(0);
            takeStatus();
        }, stack::close);
    }

    private void failed(Group in, Exception why) {
        group = Optional.empty();
        failed(in.addresses, why);
    }

    private void failed(Addresses at, Exception why) {
        Throwable cause = why.getCause() == null ? why : why.getCause();
        String text = "cannot listen or join at %s:%d: %s"
                .formatted(at.bind().getHostAddress(), settings.port(), cause.getMessage());
        if (!groupProblem.equals(Optional.of(text))) {
            groupProblem = Optional.of(text);
            LOG.error("no cluster, trying on: {}", text);
        }
    }

    /** Out of the group, if in one: its members' endpoints go, the ring and this node's own endpoints stay. */
    private void leave() {
        notBefore = System.nanoTime();
        group.ifPresent(g -> {
            group = Optional.empty();
            g.view.forEach(member -> outlook.change(directory.gone(member)));
            g.known.keySet().forEach(member -> outlook.change(directory.gone(member)));
            close(g);
        });
    }

    private static void close(Group group) {
        // A group on its way in is closed when it arrives: JGroups cannot be interrupted there.
        if (group.connected) {
            group.stack.close();
        }
    }

    private void view(Group in, List<UUID> members, boolean merged) {
        List<UUID> joined = members.stream().filter(member -> !in.view.contains(member)).toList();
        List<UUID> left = in.view.stream().filter(member -> !members.contains(member)).toList();
        in.view = List.copyOf(members);
        in.still = System.nanoTime();
        joined.forEach(member -> in.since.put(member, in.still));
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

    /** A member is gone from the view. This is the place to wait a while for it to come back, should that be wanted. */
    private void departed(Group from, UUID member) {
        from.since.remove(member);
        from.known.remove(member);
        outlook.change(directory.gone(member));
    }

    private void introduce(Group to, List<UUID> members) {
        List<UUID> others = members.stream().filter(member -> !member.equals(to.stack.self())).toList();
        if (others.isEmpty() || identity.isEmpty()) {
            return;
        }
        byte[] hello = Wire.encode(
                Introduction.make(identity.get(), to.stack.self(), to.addresses.advertise(), rings.mark()));
        byte[] everything = Wire.encode(new Everything(revision, List.copyOf(own.values())));
        for (UUID member : others) {
            send(to, member, hello);
            send(to, member, everything);
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

    private void tell(Message message) {
        group.filter(g -> g.connected).ifPresent(g -> {
            byte[] octets = Wire.encode(message);
            g.view.stream().filter(member -> !member.equals(g.stack.self())).forEach(member -> send(g, member, octets));
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
        try {
            receive(in, from, Wire.decode(octets));
        } catch (RefusedException e) {
            refuse(in, from, e.getMessage());
        } catch (RuntimeException e) {
            refuse(in, from, "message that could not be dealt with: " + e);
        }
    }

    private void refuse(Group in, UUID from, String why) {
        Known known = in.known.get(from);
        refusals.refuse(known == null ? "member " + from : "node " + known.name().node(), why);
    }

    private void receive(Group in, UUID from, Message message) throws RefusedException {
        switch (message) {
            case Hello hello -> {
                NodeName name = Introduction.check(identity.orElseThrow(), from, hello);
                in.known.put(from, new Known(name, hello.vtep()));
                outlook.change(directory.hello(from, hello.vtep()));
                takeStatus();
                helpBehind(in, from, hello.ring());
            }
            case Ring(var octets) -> {
                rings.take(octets);
                takeStatus();
            }
            case Ask() -> introduce(in, List.of(from));
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
            case Beat(var at, var theirs) -> {
                if (isKnown(in, from) && !directory.revision(from).equals(Optional.of(at))) {
                    send(in, from, new Ask());
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
            Known known = in.known.get(member);
            if (known == null ? since(in.still).compareTo(INTRODUCE) < 0 : known.name().role() == Role.MANAGER) {
                return false;
            }
        }
        return false;
    }

    /** Whether most of the managers known are in the group: the place for that rule. */
    private static boolean majority() {
        return true;
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
        Optional<Known> known = Optional.ofNullable(in.known.get(member));
        return new Status.Member(known.map(k -> k.name().node()), known.map(k -> k.name().role()),
                known.map(Known::vtep), directory.count(member), age);
    }

    private Optional<NodeName> name() {
        return identity.map(SwarmIdentity::name);
    }

    private static Duration since(long nanos) {
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
    public void close() {
        if (thread.isShutdown()) {
            return;
        }
        outlook.close();
        try {
            thread.submit(this::leaveQuietly).get(5, TimeUnit.SECONDS);
        } catch (ExecutionException | TimeoutException | RejectedExecutionException e) {
            LOG.warn("the group was not left in good order: {}", e.toString());
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
        thread.shutdownNow();
    }

    private void leaveQuietly() {
        group.ifPresent(Node::close);
        group = Optional.empty();
    }
}
