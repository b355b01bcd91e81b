package io.vxseal.cluster.node;

import java.net.InetAddress;
import java.time.Duration;
import java.util.Optional;

/**
 * This node's session with a hub at one moment.
 *
 * @param node of the hub
 * @param address where it was dialled; empty for this process's own
 * @param upToDate whether the hub has this node's present record
 * @param clockAhead by how much the hub's wall clock is ahead of this node's, negative if it is behind; empty if it has not sent it
 */
public record HubStatus(
        String node, Optional<InetAddress> address, Duration age, boolean upToDate, Optional<Duration> clockAhead) {}
