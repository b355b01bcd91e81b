package io.vxseal.cluster.record;

import java.util.List;

/**
 * The paths between the nodes of a swarm, each as the node found it that it begins at.
 *
 * @param rows one per node
 */
public record PathMatrix(List<Row> rows) {
    /** Sign of a path that passes. */
    public static final char PASSES = '+';
    /** Sign of a path that does not pass, or not with the largest packets. */
    public static final char FAILS = 'X';
    /** Sign of a path that there was no time to try. */
    public static final char UNTRIED = '?';
    /** Sign of two nodes without containers on a common network. */
    public static final char NONE = '.';
    /** Sign of a node and itself. */
    public static final char SELF = '-';

    /**
     * The paths of one node.
     *
     * @param node its id
     * @param address for VXLAN; empty if it is not known
     * @param signs one for each row, in the rows' order; empty if the node did not answer
     * @param findings about paths that do not pass; not all if there are many
     */
    public record Row(String node, String address, String signs, List<Finding> findings) {}

    /**
     * Why a path does not pass.
     *
     * @param to id of the node at its end
     * @param found what was found, and what it means
     * @param remedy command or setting that mends it
     */
    public record Finding(String to, String found, String remedy) {}
}
