package io.vxseal.overlay.watch;

import io.vxseal.encryption.PeerTraffic;
import java.net.InetAddress;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What {@link Conditions} are derived from, at one moment.
 *
 * @param time of the clock that {@code since} is shown by
 * @param nanos of a clock that nobody sets
 * @param inSwarm whether the engine has named this node's address
 * @param hubs sessions with managers
 * @param clocks managers' wall clocks against this node's
 * @param sealing whether an encrypted network is up here
 * @param keyAge age of the keys that managers rotate; empty if there are none or they are the engine's
 * @param hasKeys whether there are any
 * @param rotation time that a key is in use
 * @param traffic with each node that has states, without this plugin's own requests
 * @param routes to the nodes that networks here reach
 * @param lost paths on which large packets are lost
 * @param unanswered paths on which no container there answers
 * @param port UDP port of VXLAN
 * @param refused networks that could not be created or joined here, with the reason
 * @param obstacles a line each
 */
public record Observation(
        Instant time,
        long nanos,
        boolean inSwarm,
        int hubs,
        List<Clock> clocks,
        boolean sealing,
        Optional<Duration> keyAge,
        boolean hasKeys,
        Duration rotation,
        List<PeerTraffic> traffic,
        List<Route> routes,
        List<LostPackets> lost,
        List<Unanswered> unanswered,
        int port,
        Map<String, String> refused,
        List<String> obstacles) {

    /**
     * A manager's wall clock.
     *
     * @param ahead of this node's; negative if it is behind
     */
    public record Clock(String manager, Duration ahead) {}

    /**
     * A route to another node.
     *
     * @param mtu largest packet that it carries, as far as the kernel knows
     * @param needed largest packet that the networks here send over it
     */
    public record Route(InetAddress node, int mtu, int needed) {}

    /**
     * A path that small packets pass and those that a network promises do not, without a word.
     *
     * @param node its address
     * @param mtu octets of the largest packet that the network promises its containers
     */
    public record LostPackets(String node, String network, int mtu) {}

    /**
     * A path on which no container there answers the plugin's requests.
     *
     * @param node its address
     * @param network by which it was looked at last
     */
    public record Unanswered(String node, String network, boolean encrypted) {}
}
