package io.vxseal.cluster.record;

import io.vxseal.swarm.Role;
import java.util.List;

/**
 * State of a node, as it reports it, for operators of the swarm. Contains no keys.
 *
 * @param node its id; set by hubs, from the certificate of its session
 * @param role by its certificate; set by hubs
 * @param address its address for VXLAN
 * @param version of its plugin
 * @param ring version of the ring in force; 0 for none
 * @param networks that are up there
 * @param endpoints there
 * @param hubs that it has sessions with
 * @param repairs since its start
 * @param drops packets dropped in clear, since its start
 * @param conditions trouble that lasts, a line each
 */
public record NodeReport(
        String node,
        Role role,
        String address,
        String version,
        long ring,
        int networks,
        int endpoints,
        int hubs,
        long repairs,
        long drops,
        List<String> conditions) {
    /** Most conditions of one report. */
    public static final int MOST_CONDITIONS = 10;

    /** Most characters of a condition. */
    public static final int LONGEST_CONDITION = 300;

    private static final int LONGEST_WORD = 128;

    /** Shortens what is too long, and takes nothing below zero: a report comes from another node. */
    public NodeReport {
        node = shortened(node, LONGEST_WORD);
        role = role == null ? Role.WORKER : role;
        address = shortened(address, LONGEST_WORD);
        version = shortened(version, LONGEST_WORD);
        ring = Math.max(0, ring);
        networks = Math.max(0, networks);
        endpoints = Math.max(0, endpoints);
        hubs = Math.max(0, hubs);
        repairs = Math.max(0, repairs);
        drops = Math.max(0, drops);
        conditions = conditions == null
                ? List.of()
                : conditions.stream().limit(MOST_CONDITIONS).map(line -> shortened(line, LONGEST_CONDITION)).toList();
    }

    /** Returns this node's report, without its name and role, which hubs set. */
    public static NodeReport own(
            String address,
            String version,
            long ring,
            int networks,
            int endpoints,
            int hubs,
            long repairs,
            long drops,
            List<String> conditions) {
        return new NodeReport("", Role.WORKER, address, version, ring, networks, endpoints, hubs, repairs, drops, conditions);
    }

    /** Returns this report under a node's name, as its certificate has it. */
    public NodeReport by(String name, Role certified) {
        return new NodeReport(
                name, certified, address, version, ring, networks, endpoints, hubs, repairs, drops, conditions);
    }

    static String shortened(String text, int most) {
        if (text == null) {
            return "";
        }
        return text.length() <= most ? text : text.substring(0, most - 1) + "…";
    }
}
