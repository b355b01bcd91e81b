package io.vxseal.cluster.hub;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.cluster.record.EndpointRecord;
import io.vxseal.cluster.record.NetworkRecord;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.swarm.Role;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Admission times of one node's claims: the earliest that any copy of its record has. */
final class Times {
    private final Map<Claim, Long> endpoints = new HashMap<>();
    private final Map<InetAddress, Long> vteps = new HashMap<>();

    /** A claim, whichever copy of the record it is in. */
    private record Claim(String network, String endpoint, Cidr address, MacAddress mac) {}

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

    /** Returns a record as it is admitted: claims that are known already keep their times, and the others get later ones than anybody else's. */
    NodeRecord admit(NodeRecord announced, Role role, long wall, Claims claims) {
        List<NetworkRecord> networks = new ArrayList<>();
        for (NetworkRecord network : announced.networks()) {
            List<EndpointRecord> admitted = new ArrayList<>();
            for (EndpointRecord endpoint : network.endpoints()) {
                Long known = endpoints.get(claim(network, endpoint));
                admitted.add(endpoint.admitted(known != null ? known : Math.max(wall, claims.latest(network, endpoint) + 1)));
            }
            networks.add(network.with(admitted));
        }
        Long known = vteps.get(announced.vtep());
        return announced.admitted(role, known != null ? known : Math.max(wall, claims.latest(announced.vtep()) + 1), networks);
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
