package io.vxseal.cluster.hub;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.cluster.record.EndpointRecord;
import io.vxseal.cluster.record.NetworkRecord;
import io.vxseal.cluster.record.NodeRecord;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Admission times of one node's claims: the earliest that any copy of its record has. */
final class Times {
    final Map<Claim, Long> endpoints = new HashMap<>();
    final Map<InetAddress, Long> vteps = new HashMap<>();

    /** A claim, whichever copy of the record it is in. */
    record Claim(String network, String endpoint, Cidr address, MacAddress mac) {}

    /** Adds the times of a copy. */
    void add(NodeRecord record) {
        vteps.merge(record.vtep(), record.vtepSince(), Math::min);
        for (NetworkRecord network : record.networks()) {
            for (EndpointRecord endpoint : network.endpoints()) {
                endpoints.merge(claim(network, endpoint), endpoint.since(), Math::min);
            }
        }
    }

    private static Claim claim(NetworkRecord network, EndpointRecord endpoint) {
        return new Claim(network.id(), endpoint.id(), endpoint.address(), endpoint.mac());
    }

    /** Returns the record with the earliest times; the same object if it has them already. */
    NodeRecord applyTo(NodeRecord record) {
        boolean changed = vteps.getOrDefault(record.vtep(), Long.MAX_VALUE) < record.vtepSince();
        List<NetworkRecord> networks = new ArrayList<>();
        for (NetworkRecord network : record.networks()) {
            List<EndpointRecord> stamped = new ArrayList<>();
            boolean other = false;
            for (EndpointRecord endpoint : network.endpoints()) {
                long earliest = Math.min(endpoint.since(), endpoints.getOrDefault(claim(network, endpoint), Long.MAX_VALUE));
                other |= earliest != endpoint.since();
                stamped.add(endpoint.admitted(earliest));
            }
            changed |= other;
            networks.add(other ? network.with(stamped) : network);
        }
        if (!changed) {
            return record;
        }
        long since = Math.min(record.vtepSince(), vteps.getOrDefault(record.vtep(), Long.MAX_VALUE));
        return new NodeRecord(record.node(), record.role(), record.incarnation(), record.revision(), record.vtep(), since,
                record.away(), record.silent(), record.ended(), networks);
    }
}
