package io.vxseal.overlay;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntPredicate;

/** The VXLAN network identifiers given out, by network; what AllocateNetwork and FreeNetwork are about. */
final class Vnis {
    /** The first that is free for networks of users; the swarm's own ingress network has 4096 (moby, ovmanager). */
    static final int FIRST = 4097;

    private final Map<String, List<Integer>> byNetwork = new HashMap<>();

    Vnis(Map<String, List<Integer>> given) {
        byNetwork.putAll(given);
    }

    /** What is given out, by network. */
    Map<String, List<Integer>> given() {
        return Map.copyOf(byNetwork);
    }

    /**
     * Gives a network the VNIs it asks for, or those it has, or free ones from {@link #FIRST} up.
     *
     * @param asked empty where any will do
     * @param subnets how many are needed
     * @param elsewhere whether a VNI that nobody was given here is in use all the same
     * @throws DriverException if one that is asked for is another network's, or there are too few
     */
    List<Integer> allocate(String network, List<Integer> asked, int subnets, IntPredicate elsewhere)
            throws DriverException {
        List<Integer> vnis = asked.isEmpty() ? new ArrayList<>(byNetwork.getOrDefault(network, List.of())) : asked;
        if (!asked.isEmpty() && asked.size() < subnets) {
            throw DriverException.invalid(
                    "option " + NetworkOptions.VXLANID_LIST,
                    NetworkOptions.print(asked),
                    "want a VNI for each of the %d subnets, or none at all".formatted(subnets));
        }
        for (int vni : asked) {
            Optional<String> owner = owner(vni).filter(other -> !other.equals(network));
            if (owner.isPresent()) {
                throw DriverException.conflict("VNI %d of option %s is that of network %s: give another one"
                        .formatted(vni, NetworkOptions.VXLANID_LIST, owner.get()));
            }
        }
        for (int vni = FIRST; vnis.size() < subnets; vni++) {
            if (vni > NetworkOptions.MAX_VNI) {
                throw DriverException.conflict("no free VNI is left: remove a network");
            }
            if (owner(vni).isEmpty() && !vnis.contains(vni) && !elsewhere.test(vni)) {
                vnis.add(vni);
            }
        }
        byNetwork.put(network, List.copyOf(vnis));
        return List.copyOf(vnis);
    }

    /** Takes a network's VNIs back. */
    void free(String network) {
        byNetwork.remove(network);
    }

    private Optional<String> owner(int vni) {
        return byNetwork.entrySet().stream()
                .filter(e -> e.getValue().contains(vni))
                .map(Map.Entry::getKey)
                .findFirst();
    }
}
