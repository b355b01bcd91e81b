package io.vxseal.encryption;

import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.xfrm.ForeignPolicy;
import io.vxseal.kernel.xfrm.InstalledState;
import io.vxseal.kernel.xfrm.OutgoingPolicy;
import io.vxseal.kernel.xfrm.SecurityAssociation;
import io.vxseal.kernel.xfrm.SecurityPolicy;
import io.vxseal.kernel.xfrm.Xfrm;
import io.vxseal.kernel.xfrm.XfrmChange;
import io.vxseal.kernel.xfrm.XfrmRefusal;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The one that applies plans: it keeps what the kernel holds for each node, and brings the kernel to what the nodes,
 * the ring and this node's addresses ask for, difference by difference.
 *
 * <p>Not safe for use by several threads at once; the driver's lock guards it.
 */
public final class Encryption {
    private static final Logger log = LoggerFactory.getLogger(Encryption.class);

    /** Policies in the way of ours that are told of. */
    private static final int TOLD = 10;

    private final Xfrm xfrm;
    private final int port;
    /** Whether {@link #block()} finds out if this kernel can seal. */
    private final boolean probes;

    /** The nodes that there is sealed traffic with, and those that the kernel holds something for. */
    private final Map<InetAddress, Node> nodes = new LinkedHashMap<>();

    /** What of an SPI is its source's, of all nodes; and where it is that of several, which so have the same SPIs. */
    private final Set<Integer> sources = new HashSet<>();
    private final Set<Integer> shared = new HashSet<>();

    private final NodeFailures failures = new NodeFailures();

    /** Policies that block: the one wanted, and those of another port, address or mark that an earlier process left. */
    private Set<SecurityPolicy> blocks = Set.of();
    private boolean keepsEarlierBlocks;
    /** Policies of other makers that may come before ours, when the kernel was last asked. */
    private List<ForeignPolicy> foreign = List.of();
    /** Addresses that this node seals from, or did. */
    private Set<InetAddress> own = Set.of();
    /** How many times nodes came: those that came with the same number are of one age. */
    private long arrivals;
    /** Whether the kernel holds what was planned for every node; else the next change concerns all of them. */
    private boolean asPlanned = true;
    /** Whether the kernel keeps keys to itself: a state of ours under an id that is wanted is taken for the one wanted. */
    private boolean redacted;

    private Optional<Ends> ends = Optional.empty();
    private KeyRing ring = KeyRing.EMPTY;
    private boolean sealing;
    private boolean worn;

    /** What is planned for a node, and what there is. */
    private static final class Node {
        final InetAddress address;
        /** {@link Spi#ofSource}. */
        final int source;
        /** Which arrival brought it; 0 if an earlier process knew it. */
        long since;
        /** Whether there is sealed traffic with it. */
        boolean wanted;
        /** Under the ring and the addresses of now; null before it is asked for, and while no key is known. */
        NodePlan plan;
        /** What the kernel holds. */
        NodePlan held = NodePlan.EMPTY;
        /** What it is to hold after the change that goes on. */
        NodePlan next = NodePlan.EMPTY;

        Node(InetAddress address) {
            this.address = address;
            this.source = Spi.ofSource(address);
        }
    }

    /**
     * What became of a change.
     *
     * @param done the steps that the kernel took
     * @param whole whether it took all
     */
    private record Outcome(List<XfrmChange> done, boolean whole) {}

    /** So many states and policies, the one that blocks among these. */
    public record Tally(int states, int policies) {}

    /**
     * @param xfrm of the namespace in which VXLAN's datagrams are sent: the host's
     * @param port UDP port of VXLAN
     */
    public Encryption(Xfrm xfrm, int port) {
        this(xfrm, port, true);
    }

    private Encryption(Xfrm xfrm, int port, boolean probes) {
        this.xfrm = xfrm;
        this.port = port;
        this.probes = probes;
    }

    /**
     * One that goes ahead on a kernel without ESP: policies stand, and what should be sealed is dropped for want of a state.
     * For tests of what policies do.
     */
    public static Encryption unprobed(Xfrm xfrm, int port) {
        return new Encryption(xfrm, port, false);
    }

    /** The keys in force. */
    public KeyRing ring() {
        return ring;
    }

    /**
     * Takes up the states and policies of an earlier process as they are. They stand until a change of the nodes or
     * the ring, or {@link #repair()}, shows that nobody wants them.
     */
    public void adopt() throws KernelException {
        read();
    }

    /** Whether the kernel holds anything of ours: an encrypted network was up. */
    public boolean stands() {
        return !blocks.isEmpty() || holdsAny();
    }

    /** The UDP ports of all policies that the kernel holds: an earlier process may have had devices on them. */
    public Set<Integer> ports() {
        Set<Integer> ports = new HashSet<>();
        blocks.forEach(block -> ports.add(block.id().port()));
        for (Node node : nodes.values()) {
            for (SecurityPolicy policy : node.held.policies) {
                ports.add(policy.id().port());
            }
        }
        return ports;
    }

    /**
     * Sets whether policies stay that block at another port or mark than this process's, as an earlier one left them for
     * devices which may still be up.
     */
    public void keepEarlierBlocks(boolean keep) {
        keepsEarlierBlocks = keep;
    }

    /** The nodes that the kernel holds states or policies for. */
    public Set<InetAddress> adopted() {
        Set<InetAddress> adopted = new HashSet<>();
        for (Node node : nodes.values()) {
            if (!node.held.isEmpty()) {
                adopted.add(node.address);
            }
        }
        return adopted;
    }

    private boolean holdsAny() {
        for (Node node : nodes.values()) {
            if (!node.held.isEmpty()) {
                return true;
            }
        }
        return false;
    }

    /**
     * Lets nothing marked leave unsealed from now on, until {@link #nodes} says otherwise, and finds out whether this
     * kernel can seal at all: the first node to seal to may come when nobody is there to hear of it.
     *
     * @throws KernelException naming what the kernel lacks, ESP or AES-GCM, and the remedy
     */
    public void block() throws KernelException {
        seal(true);
        if (probes && !holdsAny() && ends.isPresent()) {
            SecurityAssociation probe = NodePlan.probe(ends.get());
            List<XfrmRefusal> failures = xfrm.apply(
                    List.of(new XfrmChange.AddState(probe), new XfrmChange.DeleteState(probe.id())));
            if (!failures.isEmpty()) {
                throw failures.getFirst().reason();
            }
        }
    }

    /** Sets this node's addresses, and moves states and policies to them. */
    public void ends(Ends now) throws KernelException {
        ends = Optional.of(now);
        nodes.values().forEach(node -> node.plan = null);
        applyAll();
    }

    /**
     * Why single nodes are not sealed to as planned, by their addresses. Nothing goes to such a node or comes from it but
     * what is sealed, and the others are not concerned.
     */
    public Map<InetAddress, String> failures() {
        return failures.current();
    }

    /**
     * Policies of other makers that take datagrams before ours do, or may, a line for each: {@value #TOLD} at most. As the
     * kernel had them when it was last compared with.
     */
    public List<String> inTheWay() {
        List<String> lines = new ArrayList<>();
        if (sealing && ends.isPresent()) {
            for (ForeignPolicy policy : foreign) {
                if (lines.size() < TOLD && policy.takesFrom(ends.get().bind(), port, SecurityPolicy.MARK)) {
                    lines.add("%s comes before %s: raise its priority number or remove it"
                            .formatted(policy, overtaken(policy)));
                }
            }
        }
        return lines;
    }

    /** Which of our policies: those that seal come first, and the one that blocks after all of these. */
    private String overtaken(ForeignPolicy policy) {
        List<String> covered = new ArrayList<>();
        if (policy.mayPrecede(SecurityPolicy.Action.Seal.PRIORITY)) {
            for (Node node : nodes.values()) {
                if (node.wanted && policy.destination().contains(node.address)) {
                    covered.add(node.address.getHostAddress());
                }
            }
        }
        return switch (covered.size()) {
            case 0 -> "the one that blocks what is not sealed";
            case 1 -> "those of node " + covered.getFirst();
            default -> "those of node %s and %d more".formatted(covered.getFirst(), covered.size() - 1);
        };
    }

    /** Brings every node to another ring, whatever it differs in (moby, {@code setKeys} and {@code updateKeys}). */
    public void ring(KeyRing now) throws KernelException {
        // With a ring that is not new to the others, and no state of before, numbers begin at 1 again.
        worn = ring.isEmpty() && !holdsAny() && guarded(now.primary());
        KeyRing before = ring;
        ring = now.with(before.keys());
        nodes.values().forEach(node -> turn(node, before));
        applyAll();
    }

    private void turn(Node node, KeyRing before) {
        if (isShared(node)) {
            node.plan = null;
        } else if (node.plan != null) {
            node.plan = ring.isEmpty() ? null : node.plan.turned(before, ring, ends.orElseThrow(), node.address, port);
        }
    }

    private static boolean guarded(Optional<Key> key) {
        return key.filter(primary -> primary.replayWindow() > 0).isPresent();
    }

    /**
     * Whether the ring should be replaced before its time: its numbers run out ({@link SequenceNumbers}), or states that
     * others guard with a replay window had to be made anew here and count from 1 again.
     */
    public boolean wantsOtherKeys() {
        return worn;
    }

    /**
     * Sets which nodes there is sealed traffic with: states and policies of new ones are added, of others removed. Of those
     * that stay nothing is looked at.
     *
     * @param wanted VTEP addresses
     * @param sealing whether an encrypted network is up here: as long as it is, nothing marked leaves unsealed
     */
    public void nodes(Set<InetAddress> wanted, boolean sealing) throws KernelException {
        List<Node> concerned = new ArrayList<>();
        for (Node node : nodes.values()) {
            if (node.wanted && !wanted.contains(node.address)) {
                node.wanted = false;
                node.plan = null;
                concerned.add(node);
            }
        }
        arrivals++;
        for (InetAddress address : wanted) {
            Node node = node(address);
            if (!node.wanted) {
                node.wanted = true;
                if (node.held.isEmpty()) {
                    node.since = arrivals;
                }
                concerned.add(node);
            }
        }
        if (!shared.isEmpty() && !concerned.isEmpty()) {
            addSharers(concerned);
        }
        if (asPlanned && sealing == this.sealing) {
            apply(concerned);
        } else {
            seal(sealing);
        }
    }

    /** Adds the nodes that share their SPIs with others: whose states open them all may be another's now. */
    private void addSharers(List<Node> concerned) {
        for (Node node : nodes.values()) {
            if (node.wanted && isShared(node)) {
                node.plan = null;
                if (!concerned.contains(node)) {
                    concerned.add(node);
                }
            }
        }
    }

    private boolean isShared(Node node) {
        return !shared.isEmpty() && shared.contains(node.source);
    }

    private Node node(InetAddress address) {
        Node node = nodes.get(address);
        if (node == null) {
            node = new Node(address);
            nodes.put(address, node);
            if (!sources.add(node.source)) {
                shared.add(node.source);
            }
        }
        return node;
    }

    private void seal(boolean now) throws KernelException {
        sealing = now;
        applyAll();
    }

    /**
     * Compares with what the kernel really holds and puts right what differs.
     *
     * @return how many states and policies had to be touched, and could be
     */
    public int repair() throws KernelException {
        read();
        int touched = 0;
        for (XfrmChange step : applyAll()) {
            touched += step instanceof XfrmChange.Barrier ? 0 : 1;
            worn |= step instanceof XfrmChange.AddState add && add.association().hasReplayWindow();
        }
        return touched;
    }

    /** What the kernel should hold now. */
    public Tally wanted() {
        if (ends.isEmpty()) {
            return new Tally(0, 0);
        }
        int states = 0;
        int policies = wantedBlock(ends.get()).isPresent() ? 1 : 0;
        for (Node node : nodes.values()) {
            NodePlan plan = plan(ends.get(), node);
            states += plan.states();
            policies += plan.policies.length;
        }
        return new Tally(states, policies);
    }

    /** What the kernel holds of ours. Looking changes nothing, not even what the next repair compares with. */
    public Tally found() throws KernelException {
        return new Tally(xfrm.installedStates().size(), xfrm.policies().size());
    }

    private List<XfrmChange> applyAll() throws KernelException {
        Outcome outcome = apply(nodes.values());
        asPlanned |= ends.isPresent() && outcome.whole();
        return outcome.done();
    }

    /**
     * Brings what the kernel holds for these nodes to what is wanted now. What it refuses for one node is that node's
     * failure.
     *
     * @throws KernelException if it refuses the policy that blocks, or could not be asked
     */
    private Outcome apply(Collection<Node> concerned) throws KernelException {
        if (ends.isEmpty()) {
            return new Outcome(List.of(), true);
        }
        Ends local = ends.get();
        Map<InetAddress, String> refused = new HashMap<>();
        Transition transition = new Transition(concerned.size());
        for (Node node : concerned) {
            node.next = plan(local, node);
            transition.add(held(node, node.next), node.next);
            if (node.wanted) {
                obstacle(local, node).ifPresent(why -> refused.put(node.address, why));
            }
        }
        Optional<SecurityPolicy> block = wantedBlock(local);
        List<XfrmChange> steps = withBlocks(transition.steps(), block);
        List<XfrmRefusal> failed = List.of();
        if (!steps.isEmpty()) {
            log.debug("ring {}, nodes {}: {}", ring.keys(), nodes.keySet(), steps);
            boolean before = asPlanned;
            // Until the kernel has answered.
            asPlanned = false;
            failed = xfrm.apply(steps);
            asPlanned = before;
        }
        if (failed.isEmpty()) {
            for (Node node : concerned) {
                node.held = node.next;
            }
            forgetEmpty();
            Set<SecurityPolicy> standing = new HashSet<>(keepsEarlierBlocks ? blocks : Set.of());
            block.ifPresent(standing::add);
            blocks = standing;
        } else {
            // What stands now only the kernel knows; the next change starts from there.
            read();
            failed = giveWay(failed, refused);
            failed.forEach(failure -> farEnd(failure.change())
                    .ifPresent(node -> refused.putIfAbsent(node, failure.reason().getMessage())));
        }
        failures.settle(address -> isSettled(address, concerned), refused);
        throwIfBlockFailed(failed);
        Set<XfrmChange> undone = Collections.newSetFromMap(new IdentityHashMap<>());
        failed.forEach(failure -> undone.add(failure.change()));
        return failed.isEmpty()
                ? new Outcome(steps, true)
                : new Outcome(steps.stream().filter(step -> !undone.contains(step)).toList(), false);
    }

    /** The block goes up before anything else changes; one that is not wanted comes down after everything else has. */
    private List<XfrmChange> withBlocks(List<XfrmChange> steps, Optional<SecurityPolicy> block) {
        block.filter(wanted -> !blocks.contains(wanted))
                .ifPresent(policy -> steps.addFirst(new XfrmChange.PutPolicy(policy)));
        for (SecurityPolicy old : keepsEarlierBlocks ? Set.<SecurityPolicy>of() : blocks) {
            if (block.isEmpty() || !block.get().id().equals(old.id())) {
                steps.addLast(new XfrmChange.DeletePolicy(old.id()));
            }
        }
        return steps;
    }

    private static void throwIfBlockFailed(List<XfrmRefusal> failed) throws KernelException {
        for (XfrmRefusal failure : failed) {
            if (farEnd(failure.change(), Set.of()).isEmpty()) {
                throw failure.reason();
            }
        }
    }

    /** Whether a change about these nodes says the last of one: it is among them, or there is nothing to say any more. */
    private boolean isSettled(InetAddress address, Collection<Node> concerned) {
        Node node = nodes.get(address);
        return node == null || !node.wanted || concerned.contains(node);
    }

    /** The node that a step is about; empty if about all. */
    private Optional<InetAddress> farEnd(XfrmChange step) {
        return farEnd(step, own);
    }

    private static Optional<InetAddress> farEnd(XfrmChange step, Set<InetAddress> own) {
        return switch (step) {
            case XfrmChange.AddState(var state) -> Optional.of(farEnd(state.id(), own));
            case XfrmChange.DeleteState(var id) -> Optional.of(farEnd(id, own));
            case XfrmChange.PutPolicy(var policy) -> farEnd(policy.id());
            case XfrmChange.DeletePolicy(var id) -> farEnd(id);
            case XfrmChange.Barrier _ -> Optional.empty();
        };
    }

    private static InetAddress farEnd(SecurityAssociation.Id id, Set<InetAddress> own) {
        return own.contains(id.source()) ? id.destination() : id.source();
    }

    /** Empty of one that blocks, whose prefixes are of all addresses. */
    private static Optional<InetAddress> farEnd(SecurityPolicy.Id id) {
        return id.destination().prefix() == 0 ? Optional.empty() : Optional.of(id.destination().address());
    }

    /**
     * Has nodes give up the places of states that older nodes ask for. Of two nodes whose SPIs are the same under different
     * keys one has no state; so none can choose an address to take another's.
     *
     * @return the failures left
     */
    private List<XfrmRefusal> giveWay(List<XfrmRefusal> failed, Map<InetAddress, String> refused) throws KernelException {
        List<XfrmRefusal> left = new ArrayList<>();
        List<XfrmChange> steps = new ArrayList<>();
        for (XfrmRefusal failure : failed) {
            if (failure.isSlotTaken()
                    && failure.change() instanceof XfrmChange.AddState(var wanted)
                    && nodes.get(farEnd(wanted.id(), own)) instanceof Node asks
                    && younger(asks, wanted.id()) instanceof SecurityAssociation.Id there) {
                steps.add(new XfrmChange.DeleteState(there));
                steps.add(failure.change());
                refused.put(farEnd(there, own),
                        "%s is in the place of one of node %s, which was here before: give it another address"
                                .formatted(there, asks.address.getHostAddress()));
            } else {
                left.add(failure);
            }
        }
        if (!steps.isEmpty()) {
            left.addAll(xfrm.apply(steps));
            read();
        }
        return left;
    }

    /** The state in that place, if it is of a node that came later; else null. */
    private SecurityAssociation.Id younger(Node than, SecurityAssociation.Id place) {
        for (Node node : nodes.values()) {
            if (node.since > than.since) {
                for (SecurityAssociation state : node.held.receive) {
                    if (state.id().sharesSlotWith(place)) {
                        return state.id();
                    }
                }
            }
        }
        return null;
    }

    private void forgetEmpty() {
        for (Iterator<Node> all = nodes.values().iterator(); all.hasNext(); ) {
            Node node = all.next();
            if (!node.wanted && node.held.isEmpty()) {
                all.remove();
                // What was shared may still be another's; to look for that other costs little.
                if (!isShared(node)) {
                    sources.remove(node.source);
                }
            }
        }
    }

    /** Why a node is not planned for as others are, without asking the kernel. */
    private Optional<String> obstacle(Ends local, Node node) {
        if (!isOfFamily(local, node)) {
            return Optional.of("its address is %s, and that of this node, %s, is %s: give both addresses of one kind".formatted(
                    kind(node.address), local.bind().getHostAddress(), kind(local.bind())));
        }
        // Numbers of two senders in one window would make each other's look repeated.
        return guarded(ring.primary())
                ? opener(local, node).filter(other -> other != node).map(other ->
                        "its SPIs are those of node %s, and a replay window is for one sender: give one of them another address"
                                .formatted(other.address.getHostAddress()))
                : Optional.empty();
    }

    private static String kind(InetAddress address) {
        return address instanceof Inet4Address ? "IPv4" : "IPv6";
    }

    private static boolean isOfFamily(Ends local, Node node) {
        return local.bind() instanceof Inet4Address == node.address instanceof Inet4Address;
    }

    /** The node whose states open what this one sends, where several have the same SPIs; empty if it is the only one. */
    private Optional<Node> opener(Ends local, Node node) {
        if (isShared(node)) {
            for (Node other : nodes.values()) {
                if (other.wanted && other.source == node.source && isOfFamily(local, other)) {
                    return Optional.of(other);
                }
            }
        }
        return Optional.empty();
    }

    /** What the kernel should hold for a node. */
    private NodePlan plan(Ends local, Node node) {
        if (ring.isEmpty() && (node.wanted || sealing && isShared(node))) {
            // Before this process knows any key, what an earlier one left goes on working.
            return node.held.underOurMark();
        }
        if (node.wanted) {
            if (!isOfFamily(local, node)) {
                return NodePlan.EMPTY;
            }
            if (node.plan == null) {
                NodePlan plan = NodePlan.of(local, node.address, ring, port);
                node.plan = opener(local, node).filter(other -> other != node).isEmpty() ? plan : plan.withoutReceiving();
            }
            return node.plan;
        }
        if (!sealing || !node.held.mayRest() || !isOfFamily(local, node)) {
            return NodePlan.EMPTY;
        }
        NodePlan plan = NodePlan.of(local, node.address, ring, port);
        return plan.atRest(held(node, plan));
    }

    private NodePlan held(Node node, NodePlan planned) {
        return redacted ? node.held.withKeysOf(planned) : node.held;
    }

    private Optional<SecurityPolicy> wantedBlock(Ends local) {
        return sealing ? Optional.of(NodePlan.block(local.bind(), port)) : Optional.empty();
    }

    private void read() throws KernelException {
        Map<InetAddress, Found> found = new LinkedHashMap<>();
        Set<InetAddress> own = new HashSet<>();
        Set<SecurityPolicy> blocks = new HashSet<>();
        List<ForeignPolicy> foreign = new ArrayList<>();
        for (OutgoingPolicy listed : xfrm.outgoingPolicies()) {
            if (listed instanceof ForeignPolicy other) {
                if (other.mayPrecede(SecurityPolicy.Action.Block.PRIORITY)) {
                    foreign.add(other);
                }
            } else if (listed instanceof SecurityPolicy policy) {
                if (policy.action() instanceof SecurityPolicy.Action.Block) {
                    blocks.add(policy);
                } else {
                    own.add(policy.id().source().address());
                    found.computeIfAbsent(policy.id().destination().address(), Found::new).policies.add(policy);
                }
            }
        }
        ends.ifPresent(local -> own.add(local.bind()));
        for (InstalledState standing : xfrm.installedStates()) {
            worn |= SequenceNumbers.worn(standing);
            SecurityAssociation state = standing.association();
            redacted |= state.key().isRedacted();
            SecurityAssociation.Id id = state.id();
            if (own.contains(id.source())) {
                found.computeIfAbsent(id.destination(), Found::new).send.add(state);
            } else {
                found.computeIfAbsent(id.source(), Found::new).receive.add(state);
            }
        }
        nodes.values().forEach(node -> node.held = NodePlan.EMPTY);
        for (Found there : found.values()) {
            node(there.node).held = new NodePlan(there.receive, there.send, there.policies);
        }
        forgetEmpty();
        this.own = own;
        this.blocks = blocks;
        this.foreign = foreign;
        asPlanned = false;
    }

    /** What the kernel's lists have of a node. */
    private static final class Found {
        final InetAddress node;
        final List<SecurityAssociation> receive = new ArrayList<>();
        final List<SecurityAssociation> send = new ArrayList<>();
        final List<SecurityPolicy> policies = new ArrayList<>();

        Found(InetAddress node) {
            this.node = node;
        }
    }
}
