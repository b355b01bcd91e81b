package io.vxseal.kernel.firewall;

/**
 * A VXLAN segment as its datagrams show it.
 *
 * @param port UDP destination port
 * @param vni network identifier, 24 bits
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
