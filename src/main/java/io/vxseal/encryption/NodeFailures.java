package io.vxseal.encryption;

import java.net.InetAddress;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Why single nodes are not sealed to as planned. Each is told in the log once when it begins, whatever its reason
 * becomes, and once when it is over.
 */
final class NodeFailures {
    private static final Logger log = LoggerFactory.getLogger(NodeFailures.class);

    /** Nodes told of at once; what fails for all has one reason. */
    private static final int TOLD = 10;

    private final Map<InetAddress, String> current = new LinkedHashMap<>();

    /** The reasons of now, by node. */
    Map<InetAddress, String> current() {
        return Map.copyOf(current);
    }

    /**
     * Takes what a change came to.
     *
     * @param concerned which nodes the change was about; what is said of others stands
     * @param refused the reasons of those that it failed for
     */
    void settle(Predicate<InetAddress> concerned, Map<InetAddress, String> refused) {
        for (Iterator<InetAddress> nodes = current.keySet().iterator(); nodes.hasNext(); ) {
            InetAddress node = nodes.next();
            if (!refused.containsKey(node) && concerned.test(node)) {
                nodes.remove();
                log.info("nothing keeps node {} from being sealed to any more", node.getHostAddress());
            }
        }
        int told = 0;
        for (Map.Entry<InetAddress, String> each : refused.entrySet()) {
            boolean begins = current.put(each.getKey(), each.getValue()) == null;
            if (begins && told++ < TOLD) {
                log.error("cannot seal to node {} as planned, and goes on trying: {}",
                        each.getKey().getHostAddress(), each.getValue());
            }
        }
        if (told > TOLD) {
            log.error("nor can it to {} other nodes", told - TOLD);
        }
    }
}
