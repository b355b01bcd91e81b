package io.vxseal.swarm;

import java.net.Socket;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedKeyManager;
import org.jspecify.annotations.Nullable;

/**
 * The node's own certificate and key, for TLS in both directions. Without a key store, which would encrypt the key with a password
 * at the cost of thousands of hashes, only to decrypt it again.
 */
public final class SwarmKeys extends X509ExtendedKeyManager {
    /** JSSE's name for the only entry. */
    private static final String ALIAS = "node";

    private final SwarmIdentity identity;

    public SwarmKeys(SwarmIdentity identity) {
        this.identity = identity;
    }

    /** Returns the only entry if its key is of this type ({@code EC}, {@code RSA}, {@code EdDSA}); else null. */
    private @Nullable String entry(String type) {
        return identity.key().getAlgorithm().equals(type) ? ALIAS : null;
    }

    private @Nullable String entry(String[] types) {
        for (String type : types) {
            if (entry(type) != null) {
                return ALIAS;
            }
        }
        return null;
    }

    @Override
    public String @Nullable [] getClientAliases(String type, Principal @Nullable [] issuers) {
        return entry(type) == null ? null : new String[] {ALIAS};
    }

    @Override
    public @Nullable String chooseClientAlias(String[] types, Principal @Nullable [] issuers, @Nullable Socket socket) {
        return entry(types);
    }

    @Override
    public @Nullable String chooseEngineClientAlias(String[] types, Principal @Nullable [] issuers, @Nullable SSLEngine engine) {
        return entry(types);
    }

    @Override
    public String @Nullable [] getServerAliases(String type, Principal @Nullable [] issuers) {
        return getClientAliases(type, issuers);
    }

    @Override
    public @Nullable String chooseServerAlias(String type, Principal @Nullable [] issuers, @Nullable Socket socket) {
        return entry(type);
    }

    @Override
    public @Nullable String chooseEngineServerAlias(String type, Principal @Nullable [] issuers, @Nullable SSLEngine engine) {
        return entry(type);
    }

    @Override
    public X509Certificate[] getCertificateChain(String alias) {
        return identity.chain().toArray(X509Certificate[]::new);
    }

    @Override
    public PrivateKey getPrivateKey(String alias) {
        return identity.key();
    }
}
