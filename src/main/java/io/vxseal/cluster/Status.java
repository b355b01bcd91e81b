package io.vxseal.cluster;

import io.vxseal.swarm.Role;
import java.net.InetAddress;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * The cluster at one moment, for people. No key octets in it.
 *
 * @param swarm the swarm's id; empty before the certificates were read
 * @param node this node's id; empty before the certificates were read
 * @param coordinator the node that coordinates the group; empty outside a group
 * @param problem what keeps this node from the group, in words; empty when nothing does
 * @param members of the group, this node among them, the coordinator first
 * @param ring the ring in force; empty before any
 * @param refused messages and connections refused since the start
 */
public record Status(
        Optional<String> swarm,
        Optional<String> node,
        Optional<String> coordinator,
        Optional<String> problem,
        List<Member> members,
        Optional<Ring> ring,
        long refused) {

    /**
     * A member of the group.
     *
     * @param node its id; empty until it has introduced itself
     * @param role by its certificate; empty until it has introduced itself
     * @param vtep its address for VXLAN; empty until it has introduced itself
     * @param endpoints that it announced
     * @param age since this node saw it join
     */
    public record Member(
            Optional<String> node, Optional<Role> role, Optional<InetAddress> vtep, int endpoints, Duration age) {}

    /**
     * The ring in force.
     *
     * @param keys the primary first
     * @param version grows with every change; 0 for keys delivered to this worker only
     * @param author the node that signed it
     * @param made when its keys last changed, by the author's clock
     * @param external whether the engine delivered the keys
     */
    public record Ring(List<Known> keys, long version, String author, Instant made, boolean external) {}

    /**
     * A key, without its octets.
     *
     * @param tag unsigned
     * @param age since this process first had it in its ring
     */
    public record Known(int tag, Duration age) {}
}
