package io.vxseal.metrics;

import io.vxseal.cluster.ClusterStatus;
import io.vxseal.overlay.KernelCounters;
import io.vxseal.overlay.Overview;
import java.time.Duration;
import java.time.Instant;

/**
 * What one scrape shows.
 *
 * @param version of the program
 * @param rotation time that a key is in use, by this node's settings
 * @param now time of the scrape
 */
public record Sample(
        String version,
        Overview overview,
        KernelCounters kernel,
        ClusterStatus cluster,
        Duration rotation,
        CallStats calls,
        Instant now) {}
