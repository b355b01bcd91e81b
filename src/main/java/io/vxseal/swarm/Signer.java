package io.vxseal.swarm;

import java.security.PublicKey;
import java.time.Instant;

/**
 * Node whose certificates lead to the swarm's root.
 *
 * @param key in its own certificate
 * @param until when the first of its certificates ends
 */
public record Signer(NodeName name, PublicKey key, Instant until) {}
