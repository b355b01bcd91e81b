package io.vxseal.encryption;

import io.vxseal.kernel.KernelException;
import io.vxseal.kernel.SecurityAssociation;
import io.vxseal.kernel.SecurityPolicy;
import io.vxseal.kernel.Xfrm;
import io.vxseal.kernel.XfrmChange;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
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

    /** What the kernel holds for each node. */
    private final Map<InetAddress, NodePlan> applied = new HashMap<>();
    private Optional<SecurityPolicy> blocked = Optional.empty();
    /** Whether that is what was planned for every node; else the next change concerns all of them. */
    private boolean asPlanned = true;
    /** Whether the kernel keeps keys to itself: a state of ours under an id that is wanted is taken for the one wanted. */
    private boolean redacted;
    /** Plans under the ring and the addresses of now, made once for each of {@link #nodes}. */
    private final Map<InetAddress, NodePlan> plans = new HashMap<>();

    private Optional<Ends> ends = Optional.empty();
    private KeyRing ring = KeyRing.EMPTY;
    private Set<InetAddress> nodes = Set.of();
    private boolean sealing;
    private boolean worn;

    /** So many states and policies, the one that blocks among these. */
    public record Tally(int states, int policies) {}

    /**
     * @param xfrm of the namespace in which VXLAN's datagrams are sent: the host's
     * @param port UDP port of VXLAN
     */
    public Encryption(Xfrm xfrm, int port) {
        this.xfrm = xfrm;
        this.port = port;
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
        return blocked.isPresent() || !applied.isEmpty();
    }

    /** The nodes that the kernel holds states or policies for. */
    public Set<InetAddress> adopted() {
        return Set.copyOf(applied.keySet());
    }

    /**
     * Lets nothing marked leave unsealed from now on, until {@link #nodes} says otherwise, and finds out whether this
     * kernel can seal at all: the first node to seal to may come when nobody is there to hear of it.
     *
     * @throws KernelException naming what the kernel lacks, ESP or AES-GCM, and the remedy
     */
    public void block() throws KernelException {
        nodes(nodes, true);
        if (applied.isEmpty() && ends.isPresent()) {
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
        plans.clear();
        applyAll();
    }

    /** Brings every node to another ring, whatever it differs in (moby, {@code setKeys} and {@code updateKeys}). */
    public void ring(KeyRing now) throws KernelException {
        // With a ring that is not new to the others, and no state of before, numbers begin at 1 again.
        worn = ring.isEmpty() && applied.isEmpty() && guarded(now.primary());
        KeyRing before = ring;
        ring = now.with(before.keys());
        if (ring.isEmpty()) {
            plans.clear();
        } else {
            plans.replaceAll((node, plan) -> plan.turned(before, ring, ends.orElseThrow(), node, port));
        }
        applyAll();
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
        boolean all = !asPlanned || sealing != this.sealing;
        Set<InetAddress> before = nodes;
        nodes = Set.copyOf(wanted);
        plans.keySet().retainAll(nodes);
        this.sealing = sealing;
        if (all) {
            apply(all());
        } else {
            List<InetAddress> concerned = missing(nodes, before);
            concerned.addAll(missing(before, nodes));
            apply(concerned);
        }
    }

    /** Those of some that are not among the others. */
    private static List<InetAddress> missing(Set<InetAddress> some, Set<InetAddress> others) {
        List<InetAddress> missing = new ArrayList<>();
        for (InetAddress node : some) {
            if (!others.contains(node)) {
                missing.add(node);
            }
        }
        return missing;
    }

    /**
     * Compares with what the kernel really holds and puts right what differs.
     *
     * @return how many states and policies had to be touched
     */
    public int repair() throws KernelException {
        read();
        int touched = applyAll();
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
        for (InetAddress node : all()) {
            NodePlan plan = plan(ends.get(), node);
            states += plan.states();
            policies += plan.policies().size();
        }
        return new Tally(states, policies);
    }

    /** What the kernel holds of ours. Looking changes nothing, not even what the next repair compares with. */
    public Tally found() throws KernelException {
        return new Tally(xfrm.standing().size(), xfrm.policies().size());
    }

    /** Each node once: those there is sealed traffic with, and those that the kernel holds something for. */
    private List<InetAddress> all() {
        List<InetAddress> all = missing(applied.keySet(), nodes);
        all.addAll(nodes);
        return all;
    }

    private int applyAll() throws KernelException {
        int steps = apply(all());
        asPlanned |= ends.isPresent();
        return steps;
    }

    /** Brings what the kernel holds for these nodes to what is wanted now. */
    private int apply(List<InetAddress> concerned) throws KernelException {
        if (ends.isEmpty()) {
            return 0;
        }
        List<NodePlan> wanted = new ArrayList<>(concerned.size());
        Transition transition = new Transition();
        for (InetAddress node : concerned) {
            NodePlan plan = plan(ends.get(), node);
            wanted.add(plan);
            transition.add(held(node, plan), plan);
        }
        Optional<SecurityPolicy> block = wantedBlock(ends.get());
        // The block goes up before anything else changes and comes down after everything else has.
        List<XfrmChange> steps = transition.steps();
        if (!block.equals(blocked)) {
            block.ifPresent(policy -> steps.addFirst(new XfrmChange.PutPolicy(policy)));
            blocked.filter(old -> block.isEmpty() || !block.get().id().equals(old.id()))
                    .ifPresent(old -> steps.addLast(new XfrmChange.DeletePolicy(old.id())));
        }
        if (!steps.isEmpty()) {
            log.debug("ring {}, nodes {}: {}", ring.keys(), nodes, steps);
            List<Xfrm.Failure> failures = xfrm.apply(steps);
            if (!failures.isEmpty()) {
                // What stands now only the kernel knows; the next change starts from there.
                read();
                throw failure(failures);
            }
        }
        for (int i = 0; i < wanted.size(); i++) {
            if (wanted.get(i).isEmpty()) {
                applied.remove(concerned.get(i));
            } else {
                applied.put(concerned.get(i), wanted.get(i));
            }
        }
        blocked = block;
        return (int) steps.stream().filter(step -> !(step instanceof XfrmChange.Moment)).count();
    }

    private static KernelException failure(List<Xfrm.Failure> failures) {
        KernelException failure = failures.getFirst().reason();
        failures.stream().skip(1).map(Xfrm.Failure::reason).forEach(failure::addSuppressed);
        return failure;
    }

    /** What the kernel should hold for a node. */
    private NodePlan plan(Ends local, InetAddress node) {
        if (nodes.contains(node)) {
            // Before this process knows any key, what an earlier one left goes on working.
            return ring.isEmpty()
                    ? applied.getOrDefault(node, NodePlan.EMPTY)
                    : plans.computeIfAbsent(node, _ -> NodePlan.of(local, node, ring, port));
        }
        if (!sealing || !applied.getOrDefault(node, NodePlan.EMPTY).mayRest()) {
            return NodePlan.EMPTY;
        }
        NodePlan plan = NodePlan.of(local, node, ring, port);
        return plan.atRest(held(node, plan));
    }

    private NodePlan held(InetAddress node, NodePlan planned) {
        NodePlan held = applied.getOrDefault(node, NodePlan.EMPTY);
        return redacted ? held.withKeysOf(planned) : held;
    }

    private Optional<SecurityPolicy> wantedBlock(Ends local) {
        return sealing ? Optional.of(NodePlan.block(local.bind(), port)) : Optional.empty();
    }

    private void read() throws KernelException {
        Map<InetAddress, NodePlan> found = new HashMap<>();
        Set<InetAddress> own = new HashSet<>();
        Optional<SecurityPolicy> block = Optional.empty();
        for (SecurityPolicy policy : xfrm.policies()) {
            if (policy.action() instanceof SecurityPolicy.Action.Block) {
                block = Optional.of(policy);
            } else {
                own.add(policy.id().source().address());
                found(found, policy.id().destination().address()).policies().add(policy);
            }
        }
        ends.ifPresent(local -> own.add(local.bind()));
        for (Xfrm.Standing standing : xfrm.standing()) {
            worn |= SequenceNumbers.worn(standing);
            SecurityAssociation state = standing.association();
            redacted |= state.key().isRedacted();
            SecurityAssociation.Id id = state.id();
            if (own.contains(id.source())) {
                found(found, id.destination()).send().add(state);
            } else {
                found(found, id.source()).receive().add(state);
            }
        }
        applied.clear();
        applied.putAll(found);
        blocked = block;
        asPlanned = false;
    }

    private static NodePlan found(Map<InetAddress, NodePlan> plans, InetAddress node) {
        return plans.computeIfAbsent(
                node, _ -> new NodePlan(new ArrayList<>(), new ArrayList<>(), new ArrayList<>()));
    }
}
