package io.vxseal.swarm;

import java.io.IOException;
import java.net.Socket;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.function.BiConsumer;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;

/**
 * Trusts the nodes of one swarm: a chain to its root, and its id as the subject's O. No host names: a swarm
 * certificate names the node's id and role, not where it lives.
 */
public final class SwarmTrust extends X509ExtendedTrustManager {
    private final String swarm;
    private final X509ExtendedTrustManager pkix;
    private final BiConsumer<String, String> refusals;

    /**
     * Trusts the nodes of the identity's swarm.
     *
     * @param refusals is given the address and the reason when a listener's certificate is refused
     * @throws IllegalStateException if the platform cannot follow certificate chains
     */
    public SwarmTrust(SwarmIdentity identity, BiConsumer<String, String> refusals) {
        this.refusals = refusals;
        this.swarm = identity.name().swarm();
        this.pkix = pkix(identity);
    }

    private static X509ExtendedTrustManager pkix(SwarmIdentity identity) {
        try {
            KeyStore roots = KeyStore.getInstance("PKCS12");
            roots.load(null, null);
            for (X509Certificate root : identity.roots()) {
                roots.setCertificateEntry("root-" + roots.size(), root);
            }
            TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
            factory.init(roots);
            for (TrustManager manager : factory.getTrustManagers()) {
                if (manager instanceof X509ExtendedTrustManager found) {
                    return found;
                }
            }
            throw new IllegalStateException("the platform has no X.509 trust manager");
        } catch (GeneralSecurityException | IOException e) {
            throw new IllegalStateException("trust in the swarm's root: " + e.getMessage(), e);
        }
    }

    private void checkSwarm(X509Certificate[] chain) throws CertificateException {
        NodeName name = NodeName.of(chain[0]);
        if (!name.swarm().equals(swarm)) {
            throw new CertificateException("certificate is of swarm %s, this is %s".formatted(name.swarm(), swarm));
        }
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, Socket socket) throws CertificateException {
        pkix.checkClientTrusted(chain, type, socket);
        checkSwarm(chain);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket) throws CertificateException {
        try {
            pkix.checkServerTrusted(chain, type, socket);
            checkSwarm(chain);
        } catch (CertificateException e) {
            // Logged here, because the reason is lost on the way up. A refused client is logged where its handshake fails.
            refusals.accept(socket.getInetAddress().getHostAddress(), "listener: " + e.getMessage());
            throw e;
        }
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine) throws CertificateException {
        pkix.checkClientTrusted(chain, type, engine);
        checkSwarm(chain);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine) throws CertificateException {
        pkix.checkServerTrusted(chain, type, engine);
        checkSwarm(chain);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type) throws CertificateException {
        pkix.checkClientTrusted(chain, type);
        checkSwarm(chain);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type) throws CertificateException {
        pkix.checkServerTrusted(chain, type);
        checkSwarm(chain);
    }

    @Override
    public X509Certificate[] getAcceptedIssuers() {
        return pkix.getAcceptedIssuers();
    }
}
