package io.vxseal.swarm;

import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Chains that led to the swarm's root, the oldest of which are forgotten. Following one costs some milliseconds for each signature in
 * it, and a node's chain is looked at by TLS, by the session on top, with each change of the managers, and with each ring.
 *
 * <p>Only the signatures are remembered: the times are compared at each look.
 */
final class VerifiedChains {
    /** Nodes of a swarm, and some more while certificates are renewed. */
    private static final int MAX_CHAINS = 2048;

    private final Map<List<X509Certificate>, Signer> signers = new LinkedHashMap<>(16, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<List<X509Certificate>, Signer> eldest) {
            return size() > MAX_CHAINS;
        }
    };

    /** Follows a chain by its signatures. */
    interface Follower {
        Signer follow(List<X509Certificate> chain) throws CertificateException;
    }

    /**
     * Returns whose a chain is, which is followed if it is not known yet.
     *
     * @throws CertificateException if it does not lead to the root, or not now
     */
    Signer signer(List<X509Certificate> chain, Follower follower) throws CertificateException {
        Signer known;
        synchronized (signers) {
            known = signers.get(chain);
        }
        if (known != null) {
            for (X509Certificate certificate : chain) {
                certificate.checkValidity();
            }
            return known;
        }
        Signer followed = follower.follow(chain);
        synchronized (signers) {
            signers.put(List.copyOf(chain), followed);
        }
        return followed;
    }
}
