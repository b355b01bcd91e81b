package io.vxseal.cluster;

import io.vxseal.cluster.ring.RingStatus;
import io.vxseal.swarm.Role;
import java.net.InetAddress;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The cluster at one moment, for people. No key octets in it.
 *
 * @param swarm the swarm's id; empty before the certificates were read
 * @param node this node's id; empty before the certificates were read
 * @param problem what keeps this node from the others, in words; empty when nothing does
 * @param members this node and those that it knows of: on a manager all, on a worker the hubs and the nodes with endpoints on its
 *     networks; none before a hub has sent all its records
 * @param hubs the hubs that this node has sessions with
 * @param sessions the nodes that have sessions with this node's hub; none on a worker
 * @param ring the ring in force; empty before any
 * @param refusals connections, sessions, messages, rings and claims refused since the start, by reason
 * @param refusedClaims claims that have no effect now: of all nodes on a manager, of this one on a worker; by reason
 * @param claims some of them, no more than {@link #MOST_CLAIMS}
 */
public record ClusterStatus(
        Optional<String> swarm,
        Optional<String> node,
        Optional<String> problem,
        List<Member> members,
        List<Hub> hubs,
        List<Session> sessions,
        Optional<RingStatus> ring,
        Map<String, Long> refusals,
        Map<String, Integer> refusedClaims,
        List<Claim> claims) {

    /** Most refused claims that a status names; all are counted. */
    static final int MOST_CLAIMS = 20;

    /** The status of a cluster that has not begun. */
    static final ClusterStatus EMPTY = new ClusterStatus(Optional.empty(), Optional.empty(), Optional.empty(), List.of(), List.of(),
            List.of(), Optional.empty(), Map.of(), Map.of(), List.of());

    /** Returns this node's id if it is a manager. */
    public Optional<String> manager() {
        return members.stream()
                .filter(member -> node.equals(Optional.of(member.node())) && member.role().equals(Optional.of(Role.MANAGER)))
                .map(Member::node)
                .findFirst();
    }

    /** Returns how much was refused since the start, for any reason. */
    public long refused() {
        return refusals.values().stream().mapToLong(Long::longValue).sum();
    }

    /**
     * A node.
     *
     * @param node its id
     * @param role by its certificate; empty if no hub named it
     * @param vtep its address for VXLAN; empty if it is not known
     * @param endpoints that it announced, as far as hubs send them to this node
     * @param age since this node first received its record
     */
    public record Member(String node, Optional<Role> role, Optional<InetAddress> vtep, int endpoints, Duration age) {}

    /**
     * A claim that has no effect.
     *
     * @param node who claims
     * @param network its id; empty where all that the node claims has no effect
     * @param endpoint its id; empty as above
     * @param reason in words
     */
    public record Claim(String node, String network, String endpoint, String reason) {}

    /**
     * A session with a hub.
     *
     * @param node of the hub
     * @param address where it was dialled; empty for this node's own
     * @param age of the session
     * @param upToDate whether the hub has this node's present record
     * @param clockAhead by how much the hub's wall clock is ahead of this node's, negative if it is behind; empty if it has not sent it
     */
    public record Hub(
            String node, Optional<InetAddress> address, Duration age, boolean upToDate, Optional<Duration> clockAhead) {}

    /**
     * A node's session with this hub.
     *
     * @param age of the session
     * @param lag nodes whose change has yet to be sent to it
     */
    public record Session(String node, Role role, Duration age, int lag) {}
}
