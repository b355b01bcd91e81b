package io.vxseal.cluster.record;

import java.util.List;

/**
 * A node's part of one network.
 *
 * @param id Docker's id of the network
 * @param subnets as the node's engine defined them; empty if it did not, or where a hub tells nodes of others
 * @param endpoints on the node
 */
public record NetworkRecord(String id, List<SubnetRecord> subnets, List<EndpointRecord> endpoints) {
    /** Most subnets that are taken for one network. */
    static final int MOST_SUBNETS = 64;

    /** @throws IllegalArgumentException naming the field that is missing or out of bounds */
    public NetworkRecord {
        EndpointRecord.checkId("network", id);
        subnets = subnets == null ? List.of() : List.copyOf(subnets);
        endpoints = endpoints == null ? List.of() : List.copyOf(endpoints);
        if (subnets.size() > MOST_SUBNETS) {
            throw new IllegalArgumentException(subnets.size() + " subnets of one network");
        }
    }

    /** Returns this network with other endpoints. */
    public NetworkRecord with(List<EndpointRecord> others) {
        return new NetworkRecord(id, subnets, others);
    }
}
