package io.vxseal.kernel.firewall;

import io.vxseal.kernel.xfrm.SecurityPolicy;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** nft's matches of packets that one of our states opened or will seal. */
final class SecurityPathMatch {
    /** Longest security path in the kernel (XFRM_MAX_DEPTH). */
    private static final int DEPTH = 6;

    private SecurityPathMatch() {}

    /**
     * Returns matches, one for each position of our state in a packet's security path. The path also contains another VPN's
     * states if one tunnel is inside another.
     *
     * @param direction {@code in} or {@code out}
     */
    static Stream<String> ours(String direction) {
        return IntStream.range(0, DEPTH)
                .mapToObj(place -> "ipsec %s spnum %d reqid %d".formatted(direction, place, SecurityPolicy.REQID));
    }
}
