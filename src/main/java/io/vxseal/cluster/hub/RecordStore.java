package io.vxseal.cluster.hub;

import io.vxseal.cluster.record.NodeRecord;
import java.util.List;

/** Store in which what a hub knows outlives its process. Trouble with it is logged, not thrown: the nodes announce themselves anew. */
public interface RecordStore {
    /** A store that keeps nothing. */
    RecordStore NONE = new RecordStore() {
        @Override
        public List<NodeRecord> read() {
            return List.of();
        }

        @Override
        public void write(List<NodeRecord> records) {}

        @Override
        public NodeList readNodes() {
            return NodeList.NONE;
        }

        @Override
        public void writeNodes(NodeList nodes) {}
    };

    /** Returns the records that were kept. */
    List<NodeRecord> read();

    /** Replaces the records, whole or not at all. May return before that is done. */
    void write(List<NodeRecord> records);

    /** Returns the list of nodes that was kept. */
    NodeList readNodes();

    /** Replaces the list of nodes, whole or not at all. May return before that is done. */
    void writeNodes(NodeList nodes);
}
