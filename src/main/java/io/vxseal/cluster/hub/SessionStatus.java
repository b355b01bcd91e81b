package io.vxseal.cluster.hub;

import io.vxseal.swarm.Role;
import java.time.Duration;

/**
 * A node's session with a hub at one moment.
 *
 * @param role that counts, which a former manager's certificate does not say
 * @param lag nodes whose change it is yet to be told of
 */
public record SessionStatus(String node, Role role, Duration age, int lag) {}
