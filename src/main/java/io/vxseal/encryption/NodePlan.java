package io.vxseal.encryption;

import io.vxseal.address.Cidr;
import io.vxseal.address.NodeAddresses;
import io.vxseal.kernel.xfrm.SecurityAssociation;
import io.vxseal.kernel.xfrm.SecurityPolicy;
import java.net.InetAddress;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * States and policies towards one node, as {@code setupEncryption} and {@code updateNodeKey} of moby make them. There is a
 * handful of each, and a rotation searches them a dozen times for each node; so they are arrays and searched one by one.
 */
public final class NodePlan {

    /** Plan for a node that is not sealed to. */
    public static final NodePlan EMPTY = new NodePlan(List.of(), List.of(), List.of());

    final SecurityAssociation[] receive;
    final SecurityAssociation[] send;
    final SecurityPolicy[] policies;

    /**
     * @param receive states for what the node sends, one for each key of the ring
     * @param send the state to seal with, under the primary key
     * @param policies the policy that sends marked VXLAN datagrams through that state
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

    /** Returns the states for what the node sends. */
    public List<SecurityAssociation> receive() {
        return List.of(receive);
    }

    /** Returns the states to seal with. */
    public List<SecurityAssociation> send() {
        return List.of(send);
    }

    /** Returns the policies that send marked VXLAN datagrams through those. */
    public List<SecurityPolicy> policies() {
        return List.of(policies);
    }

    /**
     * Returns the plan for a node under a ring; {@link #EMPTY} under an empty ring.
     *
     * @param port UDP port of VXLAN
     */
    public static NodePlan of(NodeAddresses local, InetAddress remote, KeyRing ring, int port) {
        if (ring.isEmpty()) {
            return EMPTY;
        }
        return EMPTY.rekeyed(KeyRing.EMPTY, ring, local, remote, port);
    }

    /**
     * Returns the plan for the same node under another ring. States to receive with under a key of both rings are the
     * same objects, which costs nothing to make and makes comparison fast.
     *
     * @param before the ring of this plan
     */
    NodePlan rekeyed(KeyRing before, KeyRing ring, NodeAddresses local, InetAddress remote, int port) {
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

    /** Returns this plan with its policies under our mark; version 0.1.0 used the built-in driver's. */
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

    /** Returns this plan for a node whose datagrams are opened by the states of another node with the same SPIs. */
    NodePlan withoutReceiving() {
        return new NodePlan(new SecurityAssociation[0], send, policies);
    }

    /** Returns whether the plan has no state and no policy. */
    boolean isEmpty() {
        return states() + policies.length == 0;
    }

    /** Returns the number of states. */
    int states() {
        return receive.length + send.length;
    }

    /** Returns whether the plan has this state, in either direction. */
    boolean has(SecurityAssociation state) {
        return isAmong(receive, state) || isAmong(send, state);
    }

    /** Returns whether the plan has this policy. */
    boolean has(SecurityPolicy policy) {
        for (SecurityPolicy one : policies) {
            if (one.equals(policy)) {
                return true;
            }
        }
        return false;
    }

    /** Returns whether the plan has a policy with this selector. */
    boolean selects(SecurityPolicy.Id id) {
        for (SecurityPolicy one : policies) {
            if (one.id().equals(id)) {
                return true;
            }
        }
        return false;
    }

    private static boolean isAmong(SecurityAssociation[] states, SecurityAssociation state) {
        for (SecurityAssociation one : states) {
            if (one.equals(state)) {
                return true;
            }
        }
        return false;
    }

    /** Returns whether the kernel has hidden a key of this plan, which was read from it. */
    boolean hasRedactedKeys() {
        return hasRedactedKeys(receive) || hasRedactedKeys(send);
    }

    private static boolean hasRedactedKeys(SecurityAssociation[] states) {
        for (SecurityAssociation state : states) {
            if (state.key().isRedacted()) {
                return true;
            }
        }
        return false;
    }

    /** Returns this plan, which was read from the kernel, with the planned keys where the kernel has hidden its own. */
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
     * Returns the states to keep for a node that is not sealed to at the moment: those of this plan to send with that have
     * a replay window. Added anew under the same key, such a state would count from 1 again, and the node, if it kept its
     * own, would drop everything as replayed.
     *
     * @param held the plan in the kernel
     */
    public NodePlan retained(NodePlan held) {
        List<SecurityAssociation> kept = Stream.of(send)
                .filter(state -> state.hasReplayWindow() && isAmong(held.send, state))
                .toList();
        return kept.isEmpty() ? EMPTY : new NodePlan(List.of(), kept, List.of());
    }

    /** Returns whether {@link #retained} may keep any state of this plan. */
    boolean isRetainable() {
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

    /** Returns the policy that drops marked VXLAN datagrams to a node without a policy of its own. */
    static SecurityPolicy block(InetAddress local, int port) {
        Cidr any = new Cidr(local, 0).network();
        return new SecurityPolicy(
                new SecurityPolicy.Id(any, any, port, SecurityPolicy.MARK), new SecurityPolicy.Action.Block());
    }

    /** Returns a state under a key; the SPI is its salt, too. */
    static SecurityAssociation association(InetAddress source, InetAddress destination, Key key, int spi) {
        return new SecurityAssociation(
                new SecurityAssociation.Id(source, destination, spi), key.salted(spi), key.replayWindow());
    }

    private static Cidr host(InetAddress address) {
        return new Cidr(address, Cidr.bits(address));
    }
}
