package io.vxseal.overlay;

import io.vxseal.check.PathCheck;
import io.vxseal.check.Ways;
import io.vxseal.peers.Peer;
import java.net.Inet4Address;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The ways to other nodes that can be checked: of containers of networks that are up here.
 *
 * <p>Not safe for use by several threads at once; the driver's lock guards it.
 */
final class NetworkWays {
    private final Networks networks;
    private final LocalNode local;

    NetworkWays(Networks networks, LocalNode local) {
        this.networks = networks;
        this.local = local;
    }

    /** Returns the ways to other nodes that networks here go now. */
    List<PathCheck.Way> all() {
        Ways ways = new Ways();
        for (Attachment attachment : networks.all()) {
            if (attachment.isUp()) {
                attachment.network.subnets().forEach(subnet -> add(ways, attachment, subnet));
            }
        }
        return ways.all();
    }

    private void add(Ways ways, Attachment attachment, Subnet subnet) {
        List<PathCheck.Endpoint> here = new ArrayList<>();
        for (Endpoint endpoint : attachment.endpoints.values()) {
            if (endpoint.joined() && subnet.pool().contains(endpoint.address().address())
                    && endpoint.address().address() instanceof Inet4Address address) {
                here.add(new PathCheck.Endpoint(endpoint.mac(), address));
            }
        }
        Map<String, List<PathCheck.Endpoint>> there = new LinkedHashMap<>();
        for (Peer peer : attachment.peers.walk()) {
            if (local.reaches(peer) && subnet.pool().contains(peer.address().address())
                    && peer.address().address() instanceof Inet4Address address) {
                there.computeIfAbsent(peer.vtep().getHostAddress(), _ -> new ArrayList<>())
                        .add(new PathCheck.Endpoint(peer.mac(), address));
            }
        }
        ways.add(attachment.id(), attachment.network.encrypted(), subnet.vni(), here, there);
    }
}
