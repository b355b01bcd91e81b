package io.vxseal.cluster.record;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.swarm.Role;
import java.net.InetAddress;
import java.util.List;

/** Records for tests. Endpoint N is at 10.44.0.N of network "net", whose gateway is 10.44.0.1. */
public final class TestRecords {
    public static final String NET = "net";
    public static final List<SubnetRecord> SUBNETS =
            List.of(new SubnetRecord(Cidr.parse("10.44.0.0/24"), InetAddress.ofLiteral("10.44.0.1")));

    private TestRecords() {}

    public static InetAddress vtep(int number) {
        return InetAddress.ofLiteral("10.0.0." + number);
    }

    public static EndpointRecord endpoint(int number) {
        return endpoint("ep" + number, number);
    }

    public static EndpointRecord endpoint(String id, int number) {
        Cidr address = Cidr.parse("10.44.0." + number + "/24");
        return new EndpointRecord(id, address, MacAddress.of(address.address()), 0);
    }

    /** Returns the record of a worker in its first incarnation, with these endpoints in "net". */
    public static NodeRecord worker(String node, long revision, int vtep, EndpointRecord... endpoints) {
        return new NodeRecord(node, Role.WORKER, 1, revision, vtep(vtep), 0, false, false, false,
                List.of(new NetworkRecord(NET, SUBNETS, List.of(endpoints))));
    }

    /** Returns the record of another process of its node. */
    public static NodeRecord incarnation(NodeRecord record, long incarnation) {
        return new NodeRecord(record.node(), record.role(), incarnation, record.revision(), record.vtep(), record.vtepSince(), record.away(),
                record.silent(), record.ended(), record.networks());
    }

    /** Returns the record as its node announces it before it ends to be back. */
    public static NodeRecord away(NodeRecord record) {
        return new NodeRecord(record.node(), record.role(), record.incarnation(), record.revision() + 1, record.vtep(), record.vtepSince(),
                true, record.silent(), record.ended(), record.networks());
    }

    /** Returns the record of a manager that defines these subnets. */
    public static NodeRecord manager(String node, int vtep, List<SubnetRecord> subnets) {
        return new NodeRecord(node, Role.MANAGER, 1, 1, vtep(vtep), 0, false, false, false,
                List.of(new NetworkRecord(NET, subnets, List.of())));
    }
}
