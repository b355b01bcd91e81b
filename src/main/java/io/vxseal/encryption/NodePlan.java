package io.vxseal.encryption;

import io.vxseal.address.Cidr;
import io.vxseal.kernel.xfrm.SecurityAssociation;
import io.vxseal.kernel.xfrm.SecurityPolicy;
import java.net.InetAddress;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * The states and policies towards one node: what {@code setupEncryption} and {@code updateNodeKey} of moby lead to. A
 * handful of each, so whoever looks for one walks the array; a rotation does so a dozen times for each node, and makes a
 * plan for each, which is why these are no lists.
 */
public final class NodePlan {

    /** Towards a node with which there is nothing to seal. */
    public static final NodePlan EMPTY = new NodePlan(List.of(), List.of(), List.of());

    final SecurityAssociation[] receive;
    final SecurityAssociation[] send;
    final SecurityPolicy[] policies;

    /**
     * @param receive states for what the node sends: one per key of the ring
     * @param send the state to seal with: the primary key's
     * @param policies the one that sends marked VXLAN datagrams through that state
     */
    public NodePlan(List<SecurityAssociation> receive, List<SecurityAssociation> send, List<SecurityPolicy> policies) {
        this(receive.toArray(new SecurityAssociation[0]), send.toArray(new SecurityAssociation[0]),
                policies.toArray(new SecurityPolicy[0]));
    }

    private NodePlan(SecurityAssociation[] receive, SecurityAssociation[] send, SecurityPolicy[] policies) {
        this.receive = receive;
        this.send = send;
        this.policies = policies;
    }

    /** States for what the node sends. */
    public List<SecurityAssociation> receive() {
        return List.of(receive);
    }

    /** States to seal with. */
    public List<SecurityAssociation> send() {
        return List.of(send);
    }

    /** Policies that send marked VXLAN datagrams through those. */
    public List<SecurityPolicy> policies() {
        return List.of(policies);
    }

    /**
     * The steady state towards {@code remote} under {@code ring}; {@link #EMPTY} under an empty ring.
     *
     * @param port UDP port of VXLAN
     */
    public static NodePlan of(Ends local, InetAddress remote, KeyRing ring, int port) {
        if (ring.isEmpty()) {
            return EMPTY;
        }
        return EMPTY.turned(KeyRing.EMPTY, ring, local, remote, port);
    }

    /**
     * The steady state under another ring, after this one under the ring before, towards the same node. What is received
     * under a key that both have is this plan's own state, which costs nothing to make and is seen to be the same at once.
     */
    NodePlan turned(KeyRing before, KeyRing ring, Ends local, InetAddress remote, int port) {
        byte[] here = local.advertise().getAddress();
        byte[] there = remote.getAddress();
        List<Key> keys = ring.keys();
        SecurityAssociation[] states = new SecurityAssociation[keys.size()];
        for (int i = 0; i < states.length; i++) {
            Key key = keys.get(i);
            int place = before.keys().indexOf(key);
            states[i] = place < 0
                    ? association(remote, local.bind(), key, Spi.of(there, here, key.tag()))
                    : receive[place];
        }
        Key primary = keys.getFirst();
        int spi = Spi.of(here, there, primary.tag());
        SecurityPolicy.Id selector = policies.length == 0
                ? new SecurityPolicy.Id(host(local.bind()), host(remote), port, SecurityPolicy.MARK)
                : policies[0].id();
        SecurityPolicy policy = new SecurityPolicy(selector, new SecurityPolicy.Action.Seal(spi));
        return new NodePlan(
                states,
                new SecurityAssociation[] {association(local.bind(), remote, primary, spi)},
                new SecurityPolicy[] {policy});
    }

    /** This plan with its policies under our mark; those of version 0.1.0 were under the built-in driver's. */
    NodePlan underOurMark() {
        if (Stream.of(policies).allMatch(policy -> policy.id().mark() == SecurityPolicy.MARK)) {
            return this;
        }
        Map<SecurityPolicy.Id, SecurityPolicy> marked = new LinkedHashMap<>();
        for (SecurityPolicy policy : policies) {
            SecurityPolicy.Id id = policy.id();
            SecurityPolicy.Id ours = new SecurityPolicy.Id(id.source(), id.destination(), id.port(), SecurityPolicy.MARK);
            marked.merge(ours, new SecurityPolicy(ours, policy.action()), (one, other) -> id.equals(ours) ? other : one);
        }
        return new NodePlan(receive, send, marked.values().toArray(new SecurityPolicy[0]));
    }

    /** This plan towards a node whose datagrams are opened by the states of another with the same SPIs. */
    NodePlan withoutReceiving() {
        return new NodePlan(new SecurityAssociation[0], send, policies);
    }

    /** Whether nothing is planned. */
    boolean isEmpty() {
        return states() + policies.length == 0;
    }

    /** How many states are planned. */
    int states() {
        return receive.length + send.length;
    }

    /** Whether this state is planned, in either direction. */
    boolean has(SecurityAssociation state) {
        return isAmong(receive, state) || isAmong(send, state);
    }

    private static boolean isAmong(SecurityAssociation[] states, SecurityAssociation state) {
        for (SecurityAssociation one : states) {
            if (one.equals(state)) {
                return true;
            }
        }
        return false;
    }

    /** This plan as it was read from the kernel, where that shows no keys with those planned for the same states. */
    NodePlan withKeysOf(NodePlan planned) {
        return new NodePlan(withKeysOf(receive, planned.receive), withKeysOf(send, planned.send), policies);
    }

    private static SecurityAssociation[] withKeysOf(SecurityAssociation[] held, SecurityAssociation[] planned) {
        return Stream.of(held)
                .map(state -> Stream.of(planned)
                        .filter(same -> state.key().isRedacted() && same.id().equals(state.id()))
                        .findFirst()
                        .map(same -> new SecurityAssociation(state.id(), same.key(), state.replayWindow()))
                        .orElse(state))
                .toArray(SecurityAssociation[]::new);
    }

    /**
     * What should stay of the states held for a node while there is nothing to seal with it: those to send with that
     * this plan would make again and that have a replay window. Made anew under the same key, one would begin again to
     * count at 1, and the node, if it kept its own, would drop everything as replayed.
     *
     * @param held the plan in the kernel
     */
    public NodePlan atRest(NodePlan held) {
        List<SecurityAssociation> kept = Stream.of(send)
                .filter(state -> state.hasReplayWindow() && isAmong(held.send, state))
                .toList();
        return kept.isEmpty() ? EMPTY : new NodePlan(List.of(), kept, List.of());
    }

    /** Whether {@link #atRest} may keep any of it. */
    boolean mayRest() {
        for (SecurityAssociation state : send) {
            if (state.hasReplayWindow()) {
                return true;
            }
        }
        return false;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof NodePlan that
                && Arrays.equals(receive, that.receive)
                && Arrays.equals(send, that.send)
                && Arrays.equals(policies, that.policies);
    }

    @Override
    public int hashCode() {
        return Objects.hash(Arrays.hashCode(receive), Arrays.hashCode(send), Arrays.hashCode(policies));
    }

    @Override
    public String toString() {
        return "receive " + receive() + ", send " + send() + ", policies " + policies();
    }

    /** The policy that lets no marked VXLAN datagram out to a node without a policy of its own. */
    static SecurityPolicy block(InetAddress local, int port) {
        Cidr any = new Cidr(local, 0).network();
        return new SecurityPolicy(
                new SecurityPolicy.Id(any, any, port, SecurityPolicy.MARK), new SecurityPolicy.Action.Block());
    }

    /**
     * A state of the kind that {@link #of} plans, from this node to itself and under a key that nobody has: of no use but
     * to try.
     */
    static SecurityAssociation probe(Ends local) {
        byte[] octets = new byte[16];
        new SecureRandom().nextBytes(octets);
        return association(local.bind(), local.bind(), new Key(octets, 0), Spi.of(local.bind(), local.bind(), 0));
    }

    private static SecurityAssociation association(InetAddress source, InetAddress destination, Key key, int spi) {
        return new SecurityAssociation(
                new SecurityAssociation.Id(source, destination, spi), key.salted(spi), key.replayWindow());
    }

    private static Cidr host(InetAddress address) {
        return new Cidr(address, Cidr.bits(address));
    }
}
