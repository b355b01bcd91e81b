package io.vxseal.encryption;

import io.vxseal.address.NodeAddresses;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.xfrm.InstalledState;
import io.vxseal.kernel.xfrm.ListedPolicy;
import io.vxseal.kernel.xfrm.SecurityAssociation;
import io.vxseal.kernel.xfrm.SecurityPolicy;
import io.vxseal.kernel.xfrm.Xfrm;
import io.vxseal.kernel.xfrm.XfrmChange;
import io.vxseal.kernel.xfrm.XfrmRefusal;
import java.net.InetAddress;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * IPsec states and policies towards all remote nodes. Each change of nodes, ring or addresses becomes a difference of plans,
 * which is applied to the kernel.
 *
 * <p>Not thread-safe; guarded by the driver's lock.
 */
public final class Encryption {
    private static final Logger log = LoggerFactory.getLogger(Encryption.class);

    private static final InetAddress ANY_IPV4 = InetAddress.ofLiteral("0.0.0.0");
    private static final InetAddress ANY_IPV6 = InetAddress.ofLiteral("::");

    private final Xfrm xfrm;
    private final Probe probe;

    private final SealedNodes nodes = new SealedNodes();
    private final DesiredPlans desired;
    private final int port;
    private final NodeFailures failures = new NodeFailures();
    private final TrafficMeter traffic = new TrafficMeter();

    /** Policies that block: the one wanted, and those of another port, address or mark that a previous process left. */
    private Set<SecurityPolicy> blocks = Set.of();
    private boolean keepsEarlierBlocks;
    /** Ports at which to block in any case. */
    private Set<VxlanPort> blockedPorts = Set.of();
    /** As of the last reading of the kernel. */
    private ConflictingPolicies conflicting = ConflictingPolicies.NONE;
    /** Addresses that this node seals from, or did. */
    private Set<InetAddress> own = Set.of();
    /** Whether the kernel holds what was planned for every node; if not, the next change covers all nodes. */
    private boolean asPlanned = true;
    private boolean needsRotation;

    /** Check that the kernel can seal from an address. */
    @FunctionalInterface
    public interface Probe {
        /**
         * Checks that the kernel can seal.
         *
         * @throws KernelException naming what the kernel lacks, and the remedy
         */
        void check(Xfrm xfrm, InetAddress local) throws KernelException;
    }

    /**
     * @param xfrm of the namespace in which VXLAN's datagrams are sent, the host's
     * @param port UDP port of VXLAN
     * @param probe checks that the kernel can seal, before the first node is sealed to
     */
    public Encryption(Xfrm xfrm, int port, Probe probe) {
        this.xfrm = xfrm;
        this.port = port;
        this.probe = probe;
        this.desired = new DesiredPlans(nodes, port);
    }

    /** Returns the keys in force. */
    public KeyRing ring() {
        return desired.ring();
    }

    /**
     * Reads the states and policies that a previous process left. They stay until a change of nodes or ring, or
     * {@link #repair()}, shows that they are not wanted.
     */
    public void adopt() throws KernelException {
        read();
    }

    /** Returns whether the kernel holds any state or policy of this plugin, so that an encrypted network was up. */
    public boolean holdsAnything() {
        return !blocks.isEmpty() || nodes.holdAny();
    }

    /** Returns the UDP ports of all policies in the kernel, on which a previous process may have had devices. */
    public Set<Integer> ports() {
        Set<Integer> ports = new HashSet<>();
        blocks.forEach(block -> ports.add(block.id().port()));
        for (SealedNode node : nodes.all()) {
            for (SecurityPolicy policy : node.held().policies) {
                ports.add(policy.id().port());
            }
        }
        return ports;
    }

    /**
     * Sets which policies that block to keep beside this process's own: a previous process left them for devices that may still be up.
     * In force with the next change.
     *
     * @param earlier whether to keep those at another port or mark that are there
     * @param ports at which to block even if the policies are gone
     */
    public void keepBlocks(boolean earlier, Set<VxlanPort> ports) {
        keepsEarlierBlocks = earlier;
        blockedPorts = Set.copyOf(ports);
    }

    /** Returns the nodes that the kernel holds states or policies for. */
    public Set<InetAddress> remoteNodes() {
        return nodes.held();
    }

    /**
     * Blocks everything marked that is not sealed, until {@link #nodes} changes that, and checks that this kernel can
     * seal. The first node to seal to may come when no call is there that could fail.
     *
     * @throws KernelException naming what the kernel lacks, ESP or AES-GCM, and the remedy
     */
    public void block() throws KernelException {
        desired.sealing(true);
        applyAll();
        Optional<NodeAddresses> local = desired.local();
        if (local.isPresent() && !nodes.holdAny()) {
            probe.check(xfrm, local.get().bind());
        }
    }

    /** Returns whether an encrypted network is up and the kernel lacks the policy that blocks, as far as it has answered. */
    public boolean lacksBlock() {
        return !blocks.containsAll(desired.local().map(desired::block).orElseGet(this::portBlocks));
    }

    /** Sets this node's addresses, and moves states and policies to them. */
    public void addresses(NodeAddresses now) throws KernelException {
        desired.local(now);
        applyAll();
    }

    /**
     * Returns why single nodes are not sealed to as planned, by address. Such a node gets nothing unsealed and nothing
     * unsealed is accepted from it; the others are not affected.
     */
    public Map<InetAddress, String> failures() {
        return failures.current();
    }

    /** Returns a line for each policy of another program that may match before ours or drops what we open, as of the last {@link #repair()}. */
    public List<String> conflictingPolicies() {
        return desired.local()
                .filter(_ -> desired.sealing())
                .map(local -> conflicting.describe(local.bind(), port, nodes))
                .orElse(List.of());
    }

    /** Changes every node to another ring, however it differs from the current one (moby, {@code setKeys}, {@code updateKeys}). */
    public void ring(KeyRing now) throws KernelException {
        // With a ring that other nodes know, and no state left, sequence numbers begin at 1 again.
        needsRotation = ring().isEmpty() && !nodes.holdAny() && DesiredPlans.isGuarded(now);
        desired.ring(now);
        applyAll();
    }

    /**
     * Returns whether the ring should be replaced early: its sequence numbers run out ({@link SequenceNumbers}), or states with a
     * replay window had to be added anew here and count from 1 again, which other nodes drop.
     */
    public boolean needsRotation() {
        return needsRotation;
    }

    /**
     * Sets which nodes to seal to. Adds states and policies of new nodes, removes those of others, and leaves those of
     * nodes that stay alone.
     *
     * @param wanted VTEP addresses
     * @param sealing whether an encrypted network is up here; while it is, nothing marked leaves unsealed
     */
    public void nodes(Set<InetAddress> wanted, boolean sealing) throws KernelException {
        List<SealedNode> concerned = nodes.want(wanted);
        if (asPlanned && sealing == desired.sealing()) {
            apply(concerned);
        } else {
            desired.sealing(sealing);
            applyAll();
        }
    }

    /**
     * Compares with what the kernel holds and corrects the differences.
     *
     * @return how many states and policies were changed
     */
    public int repair() throws KernelException {
        read();
        int changed = 0;
        for (XfrmChange step : applyAll()) {
            changed += step instanceof XfrmChange.Barrier ? 0 : 1;
            needsRotation |= step instanceof XfrmChange.AddState add && add.association().hasReplayWindow();
        }
        return changed;
    }

    /** Returns what the kernel should hold. */
    public Tally wanted() {
        if (desired.local().isEmpty()) {
            return new Tally(0, 0);
        }
        NodeAddresses local = desired.local().get();
        Tally planned = desired.tally(local);
        int kept = nextBlocks(local).size() - desired.block(local).size();
        return new Tally(planned.states(), planned.policies() + kept);
    }

    /** Returns what the kernel holds of this plugin. Changes nothing, not even what the next repair compares with. */
    public Tally installed() throws KernelException {
        List<InstalledState> states = xfrm.installedStates();
        traffic.update(states, own(), Instant.now());
        return new Tally(states.size(), xfrm.policies().size());
    }

    /** Returns the traffic with each node that has states, as of the last {@link #installed()} or {@link #repair()}. */
    public List<PeerTraffic> traffic() {
        return traffic.byNode();
    }

    private List<XfrmChange> applyAll() throws KernelException {
        ChangeOutcome outcome = apply(nodes.all());
        asPlanned |= desired.local().isPresent() && outcome.whole();
        return outcome.done();
    }

    /**
     * Changes what the kernel holds for these nodes to what is desired. A refusal that is about one node becomes that node's
     * failure.
     *
     * @throws KernelException if the kernel refuses the policy that blocks, or cannot be asked
     */
    private ChangeOutcome apply(Collection<SealedNode> concerned) throws KernelException {
        if (desired.local().isEmpty()) {
            // Until the engine names the addresses, what a previous process left stays.
            return addBlocks();
        }
        NodeAddresses local = desired.local().get();
        Map<InetAddress, String> refused = new HashMap<>();
        Set<SecurityPolicy> nextBlocks = nextBlocks(local);
        Transition transition = new Transition(concerned.size()).block(blocks, nextBlocks);
        for (SealedNode node : concerned) {
            node.next = desired.of(local, node);
            transition.add(node.held(node.next), node.next);
            if (node.wanted) {
                desired.obstacle(local, node).ifPresent(why -> refused.put(node.address, why));
            }
        }
        List<XfrmChange> steps = transition.steps();
        List<XfrmRefusal> failed = make(steps);
        if (failed.isEmpty()) {
            concerned.forEach(node -> node.applied(node.next));
            nodes.removeUnneeded();
            blocks = nextBlocks;
        } else {
            // What the kernel holds now is unknown; the next change starts from there.
            read();
            failed = resolveConflicts(failed, refused);
            failed.forEach(failure -> RemoteEnd.of(failure.change(), own)
                    .ifPresent(node -> refused.putIfAbsent(node, failure.reason().getMessage())));
        }
        failures.settle(address -> isSettled(address, concerned), refused);
        return ChangeOutcome.of(steps, failed);
    }

    /** Adds the policies that block, and changes nothing else. */
    private ChangeOutcome addBlocks() throws KernelException {
        Set<SecurityPolicy> nextBlocks = new HashSet<>(blocks);
        nextBlocks.addAll(portBlocks());
        List<XfrmChange> steps = new Transition(0).block(blocks, nextBlocks).steps();
        List<XfrmRefusal> failed = make(steps);
        if (failed.isEmpty()) {
            blocks = nextBlocks;
        } else {
            read();
        }
        return ChangeOutcome.of(steps, failed);
    }

    private Set<SecurityPolicy> nextBlocks(NodeAddresses local) {
        Set<SecurityPolicy> policies = new HashSet<>(keepsEarlierBlocks ? blocks : Set.of());
        policies.addAll(portBlocks());
        policies.addAll(desired.block(local));
        return policies;
    }

    private Set<SecurityPolicy> portBlocks() {
        Set<SecurityPolicy> policies = new HashSet<>();
        blockedPorts.forEach(at -> policies.add(NodePlan.block(at.ipv6() ? ANY_IPV6 : ANY_IPV4, at.port())));
        return policies;
    }

    private List<XfrmRefusal> make(List<XfrmChange> steps) throws KernelException {
        if (steps.isEmpty()) {
            return List.of();
        }
        log.debug("ring {}: {}", ring().keys(), steps);
        boolean before = asPlanned;
        // Until the kernel has answered.
        asPlanned = false;
        List<XfrmRefusal> failed = xfrm.apply(steps);
        asPlanned = before;
        return failed;
    }

    /** Returns the failures that are left. */
    private List<XfrmRefusal> resolveConflicts(List<XfrmRefusal> failed, Map<InetAddress, String> refused)
            throws KernelException {
        StateConflicts conflicts = StateConflicts.of(failed, nodes, own);
        if (conflicts.steps().isEmpty()) {
            return failed;
        }
        refused.putAll(conflicts.displaced());
        List<XfrmRefusal> left = new ArrayList<>(conflicts.unresolved());
        left.addAll(xfrm.apply(conflicts.steps()));
        read();
        return left;
    }

    /** Returns whether a change for these nodes decides if a node's failure is over: it is one of them, or not wanted any more. */
    private boolean isSettled(InetAddress address, Collection<SealedNode> concerned) {
        return nodes.find(address).filter(node -> node.wanted && !concerned.contains(node)).isEmpty();
    }

    private Set<InetAddress> own() {
        Set<InetAddress> all = new HashSet<>(own);
        desired.local().ifPresent(local -> all.add(local.bind()));
        return all;
    }

    private void read() throws KernelException {
        List<ListedPolicy> listed = xfrm.listedPolicies();
        List<SecurityPolicy> policies = new ArrayList<>();
        for (ListedPolicy policy : listed) {
            if (policy instanceof SecurityPolicy ours) {
                policies.add(ours);
            }
        }
        List<SecurityAssociation> states = new ArrayList<>();
        List<InstalledState> installed = xfrm.installedStates();
        for (InstalledState state : installed) {
            needsRotation |= SequenceNumbers.areHalfUsed(state);
            states.add(state.association());
        }
        HeldPlans held = HeldPlans.of(
                states, policies, desired.local().map(local -> Set.of(local.bind())).orElse(Set.of()));
        nodes.read(held.plans());
        own = held.own();
        traffic.update(installed, own(), Instant.now());
        blocks = held.blocks();
        conflicting = ConflictingPolicies.among(listed);
        asPlanned = false;
    }
}
