package io.vxseal.encryption;

import io.vxseal.kernel.KernelException;
import io.vxseal.kernel.SecurityAssociation;
import io.vxseal.kernel.SecurityPolicy;
import io.vxseal.kernel.Xfrm;
import io.vxseal.kernel.XfrmChange;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
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

    private final Xfrm xfrm;
    private final int port;
    /** Whether {@link #block()} finds out if this kernel can seal. */
    private final boolean probes;

    /** The nodes that there is sealed traffic with, and those that the kernel holds something for. */
    private final Map<InetAddress, Node> nodes = new LinkedHashMap<>();

    private Optional<SecurityPolicy> blocked = Optional.empty();
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
        }
    }

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
        return blocked.isPresent() || holdsAny();
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
            List<Xfrm.Failure> failures = xfrm.apply(
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
        if (node.plan != null) {
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
        for (InetAddress address : wanted) {
            Node node = nodes.computeIfAbsent(address, Node::new);
            if (!node.wanted) {
                node.wanted = true;
                concerned.add(node);
            }
        }
        if (asPlanned && sealing == this.sealing) {
            apply(concerned);
        } else {
            seal(sealing);
        }
    }

    private void seal(boolean now) throws KernelException {
        sealing = now;
        apply(nodes.values());
    }

    /**
     * Compares with what the kernel really holds and puts right what differs.
     *
     * @return how many states and policies had to be touched
     */
    public int repair() throws KernelException {
        read();
        int touched = (int) applyAll().stream().filter(step -> !(step instanceof XfrmChange.Moment)).count();
        worn |= touched > 0 && guarded(ring.primary());
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
        return new Tally(xfrm.standing().size(), xfrm.policies().size());
    }

    private List<XfrmChange> applyAll() throws KernelException {
        List<XfrmChange> steps = apply(nodes.values());
        asPlanned |= ends.isPresent();
        return steps;
    }

    /** Brings what the kernel holds for these nodes to what is wanted now, and tells by which steps. */
    private List<XfrmChange> apply(Collection<Node> concerned) throws KernelException {
        if (ends.isEmpty()) {
            return List.of();
        }
        Transition transition = new Transition(concerned.size());
        concerned.forEach(node -> {
            node.next = plan(ends.get(), node);
            transition.add(held(node, node.next), node.next);
        });
        Optional<SecurityPolicy> block = wantedBlock(ends.get());
        // The block goes up before anything else changes and comes down after everything else has.
        List<XfrmChange> steps = transition.steps();
        if (!block.equals(blocked)) {
            block.ifPresent(policy -> steps.addFirst(new XfrmChange.PutPolicy(policy)));
            blocked.filter(old -> block.isEmpty() || !block.get().id().equals(old.id()))
                    .ifPresent(old -> steps.addLast(new XfrmChange.DeletePolicy(old.id())));
        }
        if (!steps.isEmpty()) {
            log.debug("ring {}, nodes {}: {}", ring.keys(), nodes.keySet(), steps);
            List<Xfrm.Failure> failures = xfrm.apply(steps);
            if (!failures.isEmpty()) {
                // What stands now only the kernel knows; the next change starts from there.
                read();
                throw failure(failures);
            }
        }
        concerned.forEach(node -> node.held = node.next);
        nodes.values().removeIf(Encryption::isNothing);
        blocked = block;
        return steps;
    }

    private static KernelException failure(List<Xfrm.Failure> failures) {
        KernelException failure = failures.getFirst().reason();
        failures.stream().skip(1).map(Xfrm.Failure::reason).forEach(failure::addSuppressed);
        return failure;
    }

    private static boolean isNothing(Node node) {
        return !node.wanted && node.held.isEmpty();
    }

    /** What the kernel should hold for a node. */
    private NodePlan plan(Ends local, Node node) {
        if (node.wanted) {
            if (ring.isEmpty()) {
                // Before this process knows any key, what an earlier one left goes on working.
                return node.held;
            }
            if (node.plan == null) {
                node.plan = NodePlan.of(local, node.address, ring, port);
            }
            return node.plan;
        }
        if (!sealing || !node.held.mayRest()) {
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
        Map<InetAddress, Found> found = new HashMap<>();
        Set<InetAddress> own = new HashSet<>();
        Optional<SecurityPolicy> block = Optional.empty();
        for (SecurityPolicy policy : xfrm.policies()) {
            if (policy.action() instanceof SecurityPolicy.Action.Block) {
                block = Optional.of(policy);
            } else {
                own.add(policy.id().source().address());
                found.computeIfAbsent(policy.id().destination().address(), Found::new).policies.add(policy);
            }
        }
        ends.ifPresent(local -> own.add(local.bind()));
        for (Xfrm.Standing standing : xfrm.standing()) {
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
            nodes.computeIfAbsent(there.node, Node::new).held = new NodePlan(there.receive, there.send, there.policies);
        }
        nodes.values().removeIf(Encryption::isNothing);
        blocked = block;
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
