package io.vxseal.cluster.hub;

import java.util.List;
import java.util.Set;

/**
 * The swarm's nodes as a manager's engine listed them last, which the next process of its hub has to know: it is not told of a removal.
 *
 * @param listed ids of the nodes on the list; empty if there was none
 * @param removed ids of those that had been removed before, the first ones first
 */
public record NodeList(Set<String> listed, List<String> removed) {
    /** No list. */
    static final NodeList NONE = new NodeList(Set.of(), List.of());
}
