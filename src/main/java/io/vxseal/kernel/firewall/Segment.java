package io.vxseal.kernel.firewall;

import java.util.Set;

/**
 * A VXLAN segment, by the port and VNI of its datagrams.
 *
 * @param port UDP destination port
 * @param vni VXLAN network identifier, 24 bits
 */
public record Segment(int port, int vni) implements Comparable<Segment> {
    private static final int MAX_PORT = 0xffff;
    private static final int MAX_VNI = 0xffffff;

    public Segment {
        if (port < 1 || port > MAX_PORT) {
            throw new IllegalArgumentException("port " + port + ": use one from 1 to " + MAX_PORT);
        }
        if (vni < 0 || vni > MAX_VNI) {
            throw new IllegalArgumentException("VNI " + vni + ": use one from 0 to " + MAX_VNI);
        }
    }

    /** Describes segments for a message: the only one, or their number. */
    public static String summary(Set<Segment> segments) {
        return segments.size() == 1 ? segments.iterator().next().toString() : segments.size() + " segments";
    }

    /** Orders by port, then by VNI. */
    @Override
    public int compareTo(Segment other) {
        return port == other.port ? Integer.compare(vni, other.vni) : Integer.compare(port, other.port);
    }

    @Override
    public String toString() {
        return "VNI " + vni + " on port " + port;
    }
}
