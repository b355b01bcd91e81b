package io.vxseal.swarm;

import java.net.Socket;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.function.BiConsumer;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedTrustManager;
import org.jspecify.annotations.Nullable;

/**
 * Trusts the nodes of one swarm: a chain to its root, and its id as the subject's O. No host names: a swarm
 * certificate names the node's id and role, not where it lives.
 */
public final class SwarmTrust extends X509ExtendedTrustManager {
    /** RFC 5280, section 4.2.1.12. */
    private static final String SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
    private static final String CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";

    private final SwarmIdentity identity;
    private final BiConsumer<String, String> refusals;

    /**
     * Trusts the nodes of the identity's swarm.
     *
     * @param refusals is given the address and the reason when a listener's certificate is refused
     */
    public SwarmTrust(SwarmIdentity identity, BiConsumer<String, String> refusals) {
        this.identity = identity;
        this.refusals = refusals;
    }

    private void check(X509Certificate[] chain, String usage) throws CertificateException {
        identity.signer(List.of(chain));
        List<String> usages = chain[0].getExtendedKeyUsage();
        if (usages != null && !usages.contains(usage)) {
            throw new CertificateException("certificate is not for " + (usage.equals(SERVER_AUTH) ? "servers" : "clients"));
        }
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type) throws CertificateException {
        check(chain, CLIENT_AUTH);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, @Nullable Socket socket) throws CertificateException {
        check(chain, CLIENT_AUTH);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, @Nullable SSLEngine engine) throws CertificateException {
        check(chain, CLIENT_AUTH);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type) throws CertificateException {
        check(chain, SERVER_AUTH);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket) throws CertificateException {
        try {
            check(chain, SERVER_AUTH);
        } catch (CertificateException e) {
            // Logged here, because the reason is lost on the way up. A refused client is logged where its handshake fails.
            refusals.accept(socket.getInetAddress().getHostAddress(), "listener: " + e.getMessage());
            throw e;
        }
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, @Nullable SSLEngine engine) throws CertificateException {
        check(chain, SERVER_AUTH);
    }

    @Override
    public X509Certificate[] getAcceptedIssuers() {
        return identity.roots().toArray(X509Certificate[]::new);
    }
}
