package io.vxseal.cluster;

import io.vxseal.encryption.Key;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/**
 * What the cluster has to know.
 *
 * @param certificates the folder with swarm-node.crt, swarm-node.key and swarm-root-ca.crt, as the engine keeps them; may appear later
 * @param managers the file in which the engine keeps the managers' addresses, state.json; may appear later
 * @param port TCP port of the hubs, the same on every node
 * @param rotation life of a primary key; 12 hours is what the swarm itself uses
 * @param replayWindow of the keys this node makes when that is its duty, packets; 0 for none
 * @param ringFolder on a tmpfs, for the ring to outlive this process but not the host's power; without one it is kept in this process's
 *     memory alone
 * @param recordFolder on a disk, for the times at which claims were admitted to outlive a manager's process and its host's power; without one
 *     they are in the process's memory alone
 */
public record ClusterSettings(
        Path certificates, Path managers, int port, Duration rotation, int replayWindow, Optional<Path> ringFolder,
        Optional<Path> recordFolder) {
    /** @throws IllegalArgumentException naming the setting that makes no sense */
    public ClusterSettings {
        if (port < 1 || port > 65535) {
            throw new IllegalArgumentException("cluster port " + port + " is not within 1 to 65535");
        }
        if (rotation.compareTo(Duration.ofSeconds(1)) < 0) {
            throw new IllegalArgumentException("rotation of keys every " + rotation + ", want a second at least");
        }
        if (!Key.isReplayWindow(replayWindow)) {
            throw new IllegalArgumentException("no key has a replay window of " + replayWindow + " packets");
        }
    }
}
