package io.vxseal.overlay;

import java.util.Map;

/**
 * Counters of this host's kernel, for metrics.
 *
 * @param xfrmErrors packets that XFRM dropped, by the kernel's name of the reason; of all users of IPsec on the host
 */
public record KernelCounters(Map<String, Long> xfrmErrors) {}
