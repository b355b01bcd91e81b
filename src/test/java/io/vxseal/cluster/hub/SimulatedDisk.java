package io.vxseal.cluster.hub;

import io.vxseal.cluster.record.NodeRecord;
import java.util.List;

/** What a hub keeps on its disk; survives its processes, and its power. */
public final class SimulatedDisk implements RecordStore {
    private List<NodeRecord> records = List.of();
    private NodeList nodes = NodeList.NONE;

    @Override
    public List<NodeRecord> read() {
        return records;
    }

    @Override
    public void write(List<NodeRecord> now) {
        records = now;
    }

    @Override
    public NodeList readNodes() {
        return nodes;
    }

    @Override
    public void writeNodes(NodeList now) {
        nodes = now;
    }
}
