package io.vxseal.kernel.route;

/**
 * Settings of a bridge port.
 *
 * @param learning whether the bridge learns the source MAC of a frame that comes in by the port
 * @param flooding whether unicast frames to a MAC without a forwarding entry leave by the port
 */
public record BridgePort(boolean learning, boolean flooding) {
    /** The port to other nodes: every MAC that is not on this node is behind it. */
    public static final BridgePort TO_VXLAN = new BridgePort(false, true);

    /** A port to a container: frames to its own MAC only, which has a static entry. */
    public static final BridgePort TO_CONTAINER = new BridgePort(false, false);
}
