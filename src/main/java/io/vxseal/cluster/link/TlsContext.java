package io.vxseal.cluster.link;

import io.vxseal.swarm.SwarmIdentity;
import io.vxseal.swarm.SwarmKeys;
import io.vxseal.swarm.SwarmTrust;
import java.util.function.BiConsumer;
import nl.altindag.ssl.SSLFactory;
import nl.altindag.ssl.util.SSLFactoryUtils;
import org.eclipse.jetty.util.ssl.SslContextFactory;

/** TLS 1.3 with the swarm's certificates on both sides, which can be replaced while it is in use. */
final class TlsContext {
    private static final String PROTOCOL = "TLSv1.3";

    /**
     * All of TLS 1.3 (RFC 8446, appendix B.4), the cheapest first: without the optimizing compiler, Java seals with ChaCha20 and Poly1305
     * four times as fast as with AES.
     */
    private static final String[] CIPHER_SUITES = {
        "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384"
    };

    private final BiConsumer<String, String> refusals;
    private final SSLFactory ssl;

    /**
     * Uses this identity for handshakes.
     *
     * @param refusals is given the address and the reason when a listener's certificate is refused
     */
    TlsContext(SwarmIdentity identity, BiConsumer<String, String> refusals) {
        this.refusals = refusals;
        this.ssl = builder(identity).withSwappableIdentityMaterial().withSwappableTrustMaterial().build();
    }

    private SSLFactory.Builder builder(SwarmIdentity identity) {
        return SSLFactory.builder()
                .withIdentityMaterial(new SwarmKeys(identity))
                .withTrustMaterial(new SwarmTrust(identity, refusals))
                .withNeedClientAuthentication()
                .withProtocols(PROTOCOL);
    }

    /** Uses another identity from the next handshake on, and resumes no TLS session of the one before. */
    void reload(SwarmIdentity identity) {
        SSLFactoryUtils.reload(ssl, builder(identity).build());
    }

    /** Configures the hub's side. */
    SslContextFactory.Server server() {
        SslContextFactory.Server factory = new SslContextFactory.Server();
        configure(factory);
        factory.setNeedClientAuth(true);
        factory.setSniRequired(false);
        return factory;
    }

    /** Configures the side that dials. A swarm's certificate names the node's id, not where it lives. */
    SslContextFactory.Client client() {
        SslContextFactory.Client factory = new SslContextFactory.Client();
        configure(factory);
        return factory;
    }

    private void configure(SslContextFactory factory) {
        factory.setSslContext(ssl.getSslContext());
        // No check of host names; null would mean the same, with a warning at each start.
        factory.setEndpointIdentificationAlgorithm("");
        factory.setIncludeProtocols(PROTOCOL);
        factory.setIncludeCipherSuites(CIPHER_SUITES);
    }
}
