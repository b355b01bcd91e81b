package io.vxseal.cluster.hub;

import io.vxseal.cluster.record.NodeRecord;
import java.util.List;

/** What a hub keeps on its disk; survives its processes, and its power. */
public final class SimulatedDisk implements RecordStore {
    private List<NodeRecord> records = List.of();

    @Override
    public List<NodeRecord> read() {
        return records;
    }

    @Override
    public void write(List<NodeRecord> now) {
        records = now;
    }
}
