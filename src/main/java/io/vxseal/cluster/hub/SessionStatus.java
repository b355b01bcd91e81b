package io.vxseal.cluster.hub;

import io.vxseal.swarm.Role;
import java.time.Duration;

/**
 * A node's session with a hub at one moment.
 *
 * @param role that counts, which is not that of a former manager's certificate
 * @param lag nodes whose change it has yet to be sent
 */
public record SessionStatus(String node, Role role, Duration age, int lag) {}
