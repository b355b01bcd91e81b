package io.vxseal.cluster.record;

import io.vxseal.swarm.Role;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;

/**
 * What a node announces of itself. Only a session with that node's certificate writes it.
 *
 * @param node its id
 * @param role by its certificate; set by hubs
 * @param incarnation of the node's process: grows with each start
 * @param revision within the incarnation: grows with each change
 * @param vtep its address for VXLAN
 * @param vtepSince when a hub first admitted that address for this node, epoch milliseconds; set by hubs
 * @param away whether the process was stopped in good order, to be replaced perhaps
 * @param silent whether the hub that sends this record has no session with the node; set by hubs
 * @param ended whether this is no record any more, but marks that the ones before it ended; set by hubs, see {@link #ended(long, long)}
 * @param networks that its engine defined on it
 */
public record NodeRecord(
        String node,
        Role role,
        long incarnation,
        long revision,
        InetAddress vtep,
        long vtepSince,
        boolean away,
        boolean silent,
        boolean ended,
        List<NetworkRecord> networks) {
    /** Most endpoints that are taken from one node. */
    public static final int MOST_ENDPOINTS = 1000;
    /** Most networks that are taken from one node, or to which it subscribes. */
    public static final int MOST_NETWORKS = 1000;
    /** Most octets that a record takes in a message, counted as {@link #octets()} does: half of the largest message. */
    public static final int MOST_OCTETS = 512 * 1024;
    /** Octets of all fields but the networks, at most, without the id. */
    private static final int FIXED_OCTETS = 320;
    /** Greatest incarnation and revision that are taken. */
    public static final long GREATEST = 1L << 62;

    /** @throws IllegalArgumentException naming the field that is missing or out of bounds */
    public NodeRecord {
        EndpointRecord.checkId("node", node);
        role = role == null ? Role.WORKER : role;
        if (networks != null && networks.size() > MOST_NETWORKS) {
            throw new IllegalArgumentException(networks.size() + " networks of one node");
        }
        networks = networks == null ? List.of() : List.copyOf(networks);
        if (vtep == null) {
            throw new IllegalArgumentException("node without VTEP");
        }
        if (incarnation < 1 || incarnation > GREATEST || revision < 1 || revision > GREATEST) {
            throw new IllegalArgumentException("incarnation %d, revision %d".formatted(incarnation, revision));
        }
        int endpoints = 0;
        Set<String> ids = new HashSet<>();
        for (NetworkRecord network : networks) {
            endpoints += network.endpoints().size();
            if (!ids.add(network.id())) {
                throw new IllegalArgumentException("network %s twice".formatted(network.id()));
            }
        }
        if (endpoints > MOST_ENDPOINTS) {
            throw new IllegalArgumentException(endpoints + " endpoints of one node");
        }
        int octets = octets(node, networks);
        if (octets > MOST_OCTETS) {
            throw new IllegalArgumentException("record of %d octets".formatted(octets));
        }
    }

    /**
     * Returns the most octets that this record takes in a message, whatever hubs set in it: what a node sends in a short form, as {@code ::},
     * is passed on in the long one.
     */
    public int octets() {
        return octets(node, networks);
    }

    private static int octets(String node, List<NetworkRecord> networks) {
        int sum = FIXED_OCTETS + EndpointRecord.octets(node);
        for (NetworkRecord network : networks) {
            sum += network.octets();
        }
        return sum;
    }

    /** Returns whether this is a later word of the node than the other. */
    public boolean isNewerThan(NodeRecord other) {
        return incarnation != other.incarnation ? incarnation > other.incarnation : revision > other.revision;
    }

    /**
     * Chooses among copies of one node's record. The incarnation is the highest that is alive, else the highest; of that, the highest
     * revision, from whichever copy. Of two copies with the same revision one that has not ended counts.
     *
     * @param live copies of tellers that are in touch with the node
     * @param silent other copies
     */
    public static Optional<NodeRecord> choose(Collection<NodeRecord> live, Collection<NodeRecord> silent) {
        long incarnation = (live.isEmpty() ? silent : live).stream().mapToLong(NodeRecord::incarnation).max().orElse(0);
        Optional<NodeRecord> chosen = Optional.empty();
        for (Collection<NodeRecord> copies : List.of(live, silent)) {
            for (NodeRecord copy : copies) {
                if (copy.incarnation == incarnation && chosen.filter(best -> !copy.isBetterThan(best)).isEmpty()) {
                    chosen = Optional.of(copy);
                }
            }
        }
        return chosen;
    }

    private boolean isBetterThan(NodeRecord other) {
        return revision != other.revision ? revision > other.revision : other.ended && !ended;
    }

    /**
     * Returns what is left of a record that ended, so that copies which others still hold end, too: those with a lower incarnation, and of
     * this incarnation those with a lower revision.
     */
    public NodeRecord ended(long lastIncarnation, long lastRevision) {
        return new NodeRecord(node, role, lastIncarnation, lastRevision, vtep, vtepSince, false, true, true, List.of());
    }

    /** Returns whether this is what is left of a record that its node ended itself. One that a hub gave up, or whose node was removed, has revision 1. */
    public boolean isGoodbye() {
        return ended && revision > 1;
    }

    /** Returns the endpoints of all networks, counted. */
    public int endpoints() {
        int sum = 0;
        for (NetworkRecord network : networks) {
            sum += network.endpoints().size();
        }
        return sum;
    }

    /** Returns this record with other networks. */
    public NodeRecord with(List<NetworkRecord> others) {
        return new NodeRecord(node, role, incarnation, revision, vtep, vtepSince, away, silent, ended, others);
    }

    /** Returns this record without any networks. */
    public NodeRecord withoutNetworks() {
        return with(List.of());
    }

    /** Returns this record as sent by a hub that has a session with the node, or has none. */
    public NodeRecord silent(boolean now) {
        return now == silent ? this : new NodeRecord(node, role, incarnation, revision, vtep, vtepSince, away, now, ended, networks);
    }

    /** Returns this record with what a hub sets. */
    public NodeRecord admitted(Role as, long since, List<NetworkRecord> stamped) {
        return new NodeRecord(node, as, incarnation, revision, vtep, since, away, false, false, stamped);
    }

    /** Returns the part of a record that a node needs: some networks, those with endpoints, without their definitions. */
    public NodeRecord only(Predicate<String> network) {
        List<NetworkRecord> some = new ArrayList<>();
        for (NetworkRecord each : networks) {
            if (!each.endpoints().isEmpty() && network.test(each.id())) {
                some.add(each.subnets().isEmpty() ? each : new NetworkRecord(each.id(), List.of(), each.endpoints()));
            }
        }
        return with(some);
    }
}
