package io.vxseal.encryption;

import java.net.InetAddress;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reasons for which single nodes are not sealed to as planned. Each failure is logged once when it begins, even if its
 * reason changes, and once when it is over.
 */
final class NodeFailures {
    private static final Logger log = LoggerFactory.getLogger(NodeFailures.class);

    /** Nodes that are logged at once; a failure of all nodes has one reason. */
    private static final int MAX_LOGGED = 10;

    private final Map<InetAddress, String> current = new LinkedHashMap<>();

    /** Returns the current reasons, by node. */
    Map<InetAddress, String> current() {
        return Map.copyOf(current);
    }

    /**
     * Updates the reasons after a change.
     *
     * @param concerned which nodes the change was for; the reasons of others stay
     * @param refused the reasons of the nodes for which it failed
     */
    void settle(Predicate<InetAddress> concerned, Map<InetAddress, String> refused) {
        for (Iterator<InetAddress> nodes = current.keySet().iterator(); nodes.hasNext(); ) {
            InetAddress node = nodes.next();
            if (!refused.containsKey(node) && concerned.test(node)) {
                nodes.remove();
                log.info("the failure to seal to node {} is over", node.getHostAddress());
            }
        }
        int logged = 0;
        for (Map.Entry<InetAddress, String> each : refused.entrySet()) {
            boolean begins = current.put(each.getKey(), each.getValue()) == null;
            if (begins && logged++ < MAX_LOGGED) {
                log.error("cannot seal to node {} as planned, retrying: {}",
                        each.getKey().getHostAddress(), each.getValue());
            }
        }
        if (logged > MAX_LOGGED) {
            log.error("cannot seal to {} other nodes as planned either, retrying", logged - MAX_LOGGED);
        }
    }
}
