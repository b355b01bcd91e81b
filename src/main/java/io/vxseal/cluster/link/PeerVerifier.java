package io.vxseal.cluster.link;

import io.vxseal.cluster.refusal.Refusal;
import io.vxseal.cluster.refusal.RefusedException;
import io.vxseal.swarm.NodeName;
import io.vxseal.swarm.Role;
import io.vxseal.swarm.Signer;
import io.vxseal.swarm.SwarmIdentity;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;

/**
 * Judgement of peers' certificates. The TLS handshake checks a full chain, but a resumed TLS session checks none, and
 * certificates, roots and the list of nodes change while sessions last: so every session is judged here when it opens,
 * and again with each change.
 */
final class PeerVerifier {
    private final boolean managersOnly;
    private volatile SwarmIdentity identity;
    private volatile Function<NodeName, Optional<String>> refusal = _ -> Optional.empty();

    /**
     * Judges peers as members of the identity's swarm.
     *
     * @param managersOnly whether a peer has to be a manager, as a hub has
     */
    PeerVerifier(SwarmIdentity identity, boolean managersOnly) {
        this.identity = identity;
        this.managersOnly = managersOnly;
    }

    /** A peer whose certificate holds, until then. */
    record Peer(NodeName name, Instant until, List<X509Certificate> chain) {}

    void identity(SwarmIdentity changed) {
        identity = changed;
    }

    /** Replaces the judgement by name, which returns the reason to refuse a node. */
    void refusal(Function<NodeName, Optional<String>> reason) {
        refusal = reason;
    }

    /** Judges the peer of a TLS session. */
    Peer verify(SSLSession session) throws RefusedException {
        try {
            List<X509Certificate> chain =
                    Arrays.stream(session.getPeerCertificates()).map(X509Certificate.class::cast).toList();
            return verify(chain);
        } catch (SSLPeerUnverifiedException e) {
            throw new RefusedException(Refusal.CERTIFICATE, "no certificate");
        }
    }

    /** Judges a chain now. */
    Peer verify(List<X509Certificate> chain) throws RefusedException {
        Signer signer;
        try {
            signer = identity.signer(chain);
        } catch (CertificateException e) {
            throw new RefusedException(Refusal.CERTIFICATE, e.getMessage());
        }
        if (managersOnly && signer.name().role() != Role.MANAGER) {
            throw new RefusedException(Refusal.CERTIFICATE, "hub is not a manager");
        }
        Optional<String> reason = refusal.apply(signer.name());
        if (reason.isPresent()) {
            throw new RefusedException(Refusal.NODE, reason.get());
        }
        return new Peer(signer.name(), signer.until(), chain);
    }
}
