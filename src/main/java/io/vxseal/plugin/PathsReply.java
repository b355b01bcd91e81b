package io.vxseal.plugin;

import io.vxseal.cluster.record.PathMatrix;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Reply of {@code POST /swarm/check}: the paths of each node to all. The components' names are documented. Signs, not objects, because a
 * swarm of 1000 nodes has a million paths.
 */
record PathsReply(List<Node> nodes) {
    /** A node; without paths (null) if it did not answer. */
    record Node(String id, String address, @Nullable String paths, List<PathMatrix.Finding> findings) {}

    static PathsReply of(PathMatrix matrix) {
        return new PathsReply(matrix.rows().stream()
                .map(row -> new Node(row.node(), row.address(), row.signs().isEmpty() ? null : row.signs(), row.findings()))
                .toList());
    }
}
