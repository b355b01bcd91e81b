package io.vxseal.overlay;

import io.vxseal.check.Way;
import io.vxseal.check.Ways;
import io.vxseal.overlay.watch.UnansweredPaths;
import io.vxseal.peers.Peer;
import java.net.Inet4Address;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;

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

    /** Returns the ways to all nodes. */
    List<Way> all() {
        Ways ways = new Ways();
        for (Attachment attachment : networks.all()) {
            if (attachment.isUp()) {
                for (Subnet subnet : attachment.network.subnets()) {
                    ways.add(attachment.id(), attachment.network.encrypted(), subnet.vni(), here(attachment, subnet),
                            there(attachment, subnet, _ -> true));
                }
            }
        }
        return ways.all();
    }

    /**
     * Returns the ways whose networks promise the largest packets: the encrypted ones to each of these nodes, and the plain ones to all.
     *
     * @param sealed the nodes
     */
    List<Way> largest(Set<String> sealed) {
        Map<UnansweredPaths.Path, List<Way>> byPath = new HashMap<>();
        Map<UnansweredPaths.Path, Integer> mtus = new HashMap<>();
        for (Attachment attachment : networks.all()) {
            boolean encrypted = attachment.network.encrypted();
            if (!attachment.isUp() || encrypted && sealed.isEmpty()) {
                continue;
            }
            int mtu = attachment.network.linkMtu();
            for (Subnet subnet : attachment.network.subnets()) {
                List<Way.Endpoint> here = here(attachment, subnet);
                if (here.isEmpty()) {
                    continue;
                }
                there(attachment, subnet, node -> !encrypted || sealed.contains(node)).forEach((node, ends) -> {
                    var path = new UnansweredPaths.Path(node, encrypted);
                    if (mtu > mtus.getOrDefault(path, 0)) {
                        mtus.put(path, mtu);
                        byPath.put(path, new ArrayList<>());
                    }
                    if (mtu == mtus.getOrDefault(path, 0)) {
                        byPath.getOrDefault(path, new ArrayList<>()).add(new Way(
                                node, attachment.id(), encrypted, subnet.vni(), here.getFirst(), List.copyOf(ends)));
                    }
                });
            }
        }
        return byPath.values().stream().flatMap(List::stream).toList();
    }

    private static List<Way.Endpoint> here(Attachment attachment, Subnet subnet) {
        List<Way.Endpoint> here = new ArrayList<>();
        for (Endpoint endpoint : attachment.endpoints.values()) {
            if (endpoint.joined() && subnet.pool().contains(endpoint.address().address())
                    && endpoint.address().address() instanceof Inet4Address address) {
                here.add(new Way.Endpoint(endpoint.mac(), address));
            }
        }
        return here;
    }

    private Map<String, List<Way.Endpoint>> there(Attachment attachment, Subnet subnet, Predicate<String> nodes) {
        Map<String, List<Way.Endpoint>> there = new LinkedHashMap<>();
        for (Peer peer : attachment.peers.walk()) {
            String node = peer.vtep().getHostAddress();
            if (nodes.test(node) && local.reaches(peer) && subnet.pool().contains(peer.address().address())
                    && peer.address().address() instanceof Inet4Address address) {
                there.computeIfAbsent(node, _ -> new ArrayList<>()).add(new Way.Endpoint(peer.mac(), address));
            }
        }
        return there;
    }
}
