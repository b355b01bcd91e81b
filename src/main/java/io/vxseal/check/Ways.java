package io.vxseal.check;

import io.vxseal.check.Way.Endpoint;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Choice of the ways to check: to each node that has containers on a network of this one, by each kind of network, the first that is added. */
public final class Ways {
    private final Map<String, Way> chosen = new LinkedHashMap<>();

    /**
     * Adds a subnet of a network that is up.
     *
     * @param here containers of this node in it
     * @param there those of other nodes, by the node's address
     */
    public void add(String network, boolean encrypted, int vni, List<Endpoint> here, Map<String, List<Endpoint>> there) {
        if (!here.isEmpty()) {
            there.forEach((node, ends) -> chosen.putIfAbsent(
                    node + " " + encrypted, new Way(node, network, encrypted, vni, here.getFirst(), List.copyOf(ends))));
        }
    }

    /** Returns the ways. */
    public List<Way> all() {
        return List.copyOf(chosen.values());
    }
}
