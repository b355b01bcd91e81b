package io.vxseal.cluster.hub;

import io.vxseal.cluster.record.NodeRecord;
import java.util.List;

/** Store in which a hub's records outlive its process. Trouble with it is logged, not thrown: the nodes announce themselves anew. */
public interface RecordStore {
    /** A store that keeps nothing. */
    RecordStore NONE = new RecordStore() {
        @Override
        public List<NodeRecord> read() {
            return List.of();
        }

        @Override
        public void write(List<NodeRecord> records) {}
    };

    /** Returns what was kept. */
    List<NodeRecord> read();

    /** Replaces what is kept, whole or not at all. May return before that is done. */
    void write(List<NodeRecord> records);
}
