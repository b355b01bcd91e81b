package io.vxseal.cluster.record;

import java.util.List;

/**
 * A node's part of one network.
 *
 * @param id Docker's id of the network
 * @param subnets as the node's engine defined them; empty if it did not, or where a hub sends it to other nodes
 * @param endpoints on the node
 */
public record NetworkRecord(String id, List<SubnetRecord> subnets, List<EndpointRecord> endpoints) {
    /** Most subnets that are taken for one network. */
    static final int MOST_SUBNETS = 64;
    /** Octets of the field names and brackets, and some for each value without a name. */
    private static final int FIXED_OCTETS = 80;

    /** @throws IllegalArgumentException naming the field that is missing or out of bounds */
    public NetworkRecord {
        EndpointRecord.checkId("network", id);
        if (subnets != null && subnets.size() > MOST_SUBNETS) {
            throw new IllegalArgumentException(subnets.size() + " subnets of one network");
        }
        subnets = subnets == null ? List.of() : List.copyOf(subnets);
        endpoints = endpoints == null ? List.of() : List.copyOf(endpoints);
    }

    /** Returns the most octets that this takes in a message. */
    int octets() {
        int sum = FIXED_OCTETS + EndpointRecord.octets(id);
        for (SubnetRecord subnet : subnets) {
            sum += subnet.octets();
        }
        for (EndpointRecord endpoint : endpoints) {
            sum += endpoint.octets();
        }
        return sum;
    }

    /** Returns this network with other endpoints. */
    public NetworkRecord with(List<EndpointRecord> others) {
        return new NetworkRecord(id, subnets, others);
    }
}
