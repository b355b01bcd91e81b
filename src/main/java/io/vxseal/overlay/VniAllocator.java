package io.vxseal.overlay;

import io.vxseal.check.host.TunnelCheck;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.IntPredicate;

/**
 * Allocator of VXLAN network identifiers for AllocateNetwork and FreeNetwork.
 *
 * <p>The engine calls only the swarm's leading manager, and does not call a manager for networks that another one removed. So an
 * allocation counts against another network's request only if the swarm confirmed it in this term. At the start of each term
 * the engine's allocator asks for the driver's capabilities, then repeats AllocateNetwork for every network with the VNIs that it
 * has (moby, {@code ovmanager}).
 */
final class VniAllocator {
    /**
     * First VNI for networks that ask for none. The built-in driver counts from 4096 (moby, {@code ovmanager}) and does not get here.
     */
    static final int FIRST = TunnelCheck.FIRST_VNI;

    private final Map<String, List<Integer>> byNetwork = new HashMap<>();

    /** Networks whose allocation the swarm confirmed in this term. */
    private final Set<String> confirmed = new HashSet<>();

    /** Where the search for a free VNI continues. */
    private int next;

    /**
     * @param given allocations of earlier terms, by network
     * @param next where the search for a free VNI continues; 0 for its start
     */
    VniAllocator(Map<String, List<Integer>> given, int next) {
        byNetwork.putAll(given);
        this.next = Math.max(next, FIRST);
    }

    /** Returns an independent copy. */
    VniAllocator copy() {
        VniAllocator copy = new VniAllocator(byNetwork, next);
        copy.confirmed.addAll(confirmed);
        return copy;
    }

    /** Returns the allocations, by network. */
    Map<String, List<Integer>> given() {
        return Map.copyOf(byNetwork);
    }

    /** Returns where the search for a free VNI continues. */
    int next() {
        return next;
    }

    /** Begins a term, in which no allocation is confirmed yet. */
    void beginTerm() {
        confirmed.clear();
    }

    /**
     * Allocates the VNIs that a network asks for, or those that it has, or free ones. The search goes round the range from
     * {@link #FIRST} up, so the VNI of a removed network is reused as late as possible: containers of that network may still be
     * stopping.
     *
     * @param asked empty for any
     * @param subnets number of VNIs that are needed
     * @param inUse whether a VNI that is not allocated here is in use nevertheless
     * @throws DriverException if another network was allocated one of those asked for in this term, or too few are asked for
     */
    List<Integer> allocate(String network, List<Integer> asked, int subnets, IntPredicate inUse)
            throws DriverException {
        if (!asked.isEmpty() && asked.size() < subnets) {
            throw DriverException.invalid(
                    "option " + NetworkOptions.VXLANID_LIST,
                    NetworkOptions.print(asked),
                    "want a VNI for each of the %d subnets, or none at all".formatted(subnets));
        }
        Set<String> outdated = new HashSet<>();
        for (int vni : asked) {
            Optional<String> owner = owner(vni).filter(other -> !other.equals(network));
            if (owner.isPresent()) {
                if (confirmed.contains(owner.get())) {
                    throw DriverException.conflict("VNI %d (option %s) is already used by network %s: choose another one"
                            .formatted(vni, NetworkOptions.VXLANID_LIST, owner.get()));
                }
                outdated.add(owner.get());
            }
        }
        List<Integer> vnis = asked.isEmpty() ? new ArrayList<>(byNetwork.getOrDefault(network, List.of())) : asked;
        int search = asked.stream().filter(vni -> vni >= next).mapToInt(VniAllocator::after).max().orElse(next);
        for (int tried = 0; vnis.size() < subnets; tried++) {
            if (tried > NetworkOptions.MAX_VNI - FIRST) {
                throw DriverException.conflict("no VNI is free: remove a network");
            }
            if (owner(search).isEmpty() && !vnis.contains(search) && !inUse.test(search)) {
                vnis.add(search);
            }
            search = after(search);
        }
        byNetwork.keySet().removeAll(outdated);
        byNetwork.put(network, List.copyOf(vnis));
        confirmed.add(network);
        next = search;
        return List.copyOf(vnis);
    }

    private static int after(int vni) {
        return vni == NetworkOptions.MAX_VNI ? FIRST : vni + 1;
    }

    /** Frees a network's VNIs. */
    void free(String network) {
        byNetwork.remove(network);
        confirmed.remove(network);
    }

    private Optional<String> owner(int vni) {
        return byNetwork.entrySet().stream()
                .filter(e -> e.getValue().contains(vni))
                .map(Map.Entry::getKey)
                .findFirst();
    }
}
