package io.vxseal.overlay;

import io.vxseal.kernel.firewall.Drops;
import java.util.Map;

/**
 * Counters of this host's kernel, for metrics.
 *
 * @param xfrmErrors packets that XFRM dropped, by the kernel's name of the reason; of all users of IPsec on the host
 * @param rules packets that the host's firewall rules dropped
 * @param priority packets that were dropped for their packet priority, in the host's namespace and in the networks'
 */
public record KernelCounters(Map<String, Long> xfrmErrors, Drops rules, Drops priority) {
    /** Returns the packets from outside that were dropped, by any of the barriers. */
    public long droppedIncoming() {
        return rules.incoming() + priority.incoming();
    }

    /** Returns the packets for outside that were dropped, by any of the barriers. */
    public long droppedOutgoing() {
        return rules.outgoing() + priority.outgoing();
    }
}
