package io.vxseal.cluster.ring;

import java.time.Duration;
import java.time.Instant;
import java.util.List;

/**
 * The ring in force, without key octets.
 *
 * @param keys the primary first
 * @param version grows with every change; 0 for keys delivered to this worker only
 * @param author the node that signed it
 * @param made when its keys last changed, by the author's clock
 * @param external whether the engine delivered the keys
 */
public record RingStatus(List<KnownKey> keys, long version, String author, Instant made, boolean external) {

    /**
     * A key, without its octets.
     *
     * @param tag unsigned
     * @param age since this process first had it in its ring
     */
    public record KnownKey(int tag, Duration age) {}
}
