package io.vxseal.cluster.record;

/**
 * Identifies one version of a node's record, without its content.
 *
 * @param node the node's id
 * @param incarnation of the node's process
 * @param revision within the incarnation
 */
public record RecordMark(String node, long incarnation, long revision) {
    /** @throws IllegalArgumentException if the id is missing or too long */
    public RecordMark {
        EndpointRecord.checkId("node", node);
    }

    /** Returns the mark of a record. */
    public static RecordMark of(NodeRecord record) {
        return new RecordMark(record.node(), record.incarnation(), record.revision());
    }

    /** Returns whether a record is a later word of the node than the one with this mark. */
    public boolean isOlderThan(NodeRecord record) {
        return record.incarnation() != incarnation ? record.incarnation() > incarnation : record.revision() > revision;
    }
}
