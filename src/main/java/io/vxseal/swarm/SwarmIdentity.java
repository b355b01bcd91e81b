package io.vxseal.swarm;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.CertPathValidator;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * This node in its swarm: what the engine keeps in {@code swarm/certificates}. It signs in this node's name and returns
 * whose a signature is. Immutable; a renewal is a new one.
 */
public final class SwarmIdentity {
    public static final String CERTIFICATE = "swarm-node.crt";
    public static final String KEY = "swarm-node.key";
    public static final String ROOT = "swarm-root-ca.crt";

    private final NodeName name;
    private final List<X509Certificate> chain;
    private final PrivateKey key;
    private final List<X509Certificate> roots;
    private final VerifiedChains verified = new VerifiedChains();

    private SwarmIdentity(NodeName name, List<X509Certificate> chain, PrivateKey key, List<X509Certificate> roots) {
        this.name = name;
        this.chain = chain;
        this.key = key;
        this.roots = roots;
    }

    /** Reads the three files as {@link #read(Path, Optional)} does, for a node whose private key is not encrypted. */
    public static SwarmIdentity read(Path folder) throws IdentityException {
        return read(folder, Optional.empty());
    }

    /**
     * Reads the three files.
     *
     * @param unlockKey with which the private key may be encrypted; empty if it is not known
     * @throws LockedKeyException if that key is needed
     * @throws IdentityException absent if a file is not there; else naming the file that cannot be used, never its
     *     content
     */
    public static SwarmIdentity read(Path folder, Optional<UnlockKey> unlockKey) throws IdentityException {
        List<X509Certificate> chain = certificates(folder.resolve(CERTIFICATE));
        List<X509Certificate> roots = certificates(folder.resolve(ROOT));
        PrivateKey key = NodeKey.read(folder.resolve(KEY), octets(folder.resolve(KEY)), unlockKey);
        try {
            NodeName name = NodeName.of(chain.getFirst());
            SwarmIdentity identity = new SwarmIdentity(name, chain, key, roots);
            // The engine writes the files one after the other: a key read beside the certificate of another moment
            // signs nothing that anybody could verify.
            byte[] probe = {1};
            if (!verify(chain.getFirst().getPublicKey(), probe, identity.sign(probe))) {
                throw new IdentityException(false, folder.resolve(KEY) + " is not the key of " + CERTIFICATE);
            }
            identity.signer(chain);
            return identity;
        } catch (CertificateException e) {
            throw new IdentityException(folder.resolve(CERTIFICATE) + ": " + e.getMessage(), e);
        } catch (IllegalStateException e) {
            throw new IdentityException(folder.resolve(KEY) + " cannot sign: " + e.getMessage(), e);
        }
    }

    public NodeName name() {
        return name;
    }

    /** The node's certificate first. */
    public List<X509Certificate> chain() {
        return chain;
    }

    public PrivateKey key() {
        return key;
    }

    public List<X509Certificate> roots() {
        return roots;
    }

    /** Returns when this node's certificate ends, or one between it and the root. */
    public Instant until() {
        return until(chain);
    }

    /** Returns whether the other was read from the same files' content, so that nothing need be reloaded. */
    public boolean same(SwarmIdentity other) {
        return chain.equals(other.chain) && roots.equals(other.roots);
    }

    /**
     * Signs with this node's key.
     *
     * @throws IllegalStateException if the platform has no such signature
     */
    public byte[] sign(byte[] octets) {
        try {
            Signature signature = Signature.getInstance(algorithm(key.getAlgorithm()));
            signature.initSign(key);
            signature.update(octets);
            return signature.sign();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("signing with a key of " + key.getAlgorithm() + ": " + e.getMessage(), e);
        }
    }

    /**
     * Follows a chain to this swarm's root and returns whose it is.
     *
     * @throws CertificateException if it does not lead there now, or its subject is of another swarm
     */
    public Signer signer(List<X509Certificate> theirs) throws CertificateException {
        // A chain may bring its root along, or the root's key signed by the root before it (a root rotation); PKIX wants the path to
        // end below the anchor. What follows there proves nothing.
        List<X509Certificate> path = theirs.stream().takeWhile(c -> !isRoot(c)).toList();
        if (path.isEmpty()) {
            throw new CertificateException("no certificate of a node");
        }
        return verified.signer(path, this::follow);
    }

    private Signer follow(List<X509Certificate> path) throws CertificateException {
        try {
            Set<TrustAnchor> anchors =
                    roots.stream().map(root -> new TrustAnchor(root, null)).collect(Collectors.toSet());
            PKIXParameters parameters = new PKIXParameters(anchors);
            parameters.setRevocationEnabled(false);
            CertPathValidator.getInstance("PKIX")
                    .validate(CertificateFactory.getInstance("X.509").generateCertPath(path), parameters);
        } catch (GeneralSecurityException e) {
            throw new CertificateException("certificate is not of this swarm: " + e.getMessage(), e);
        }
        NodeName whose = NodeName.of(path.getFirst());
        if (!whose.swarm().equals(name.swarm())) {
            throw new CertificateException(
                    "certificate is of swarm %s, this is %s".formatted(whose.swarm(), name.swarm()));
        }
        return new Signer(whose, path.getFirst().getPublicKey(), until(path));
    }

    private static Instant until(List<X509Certificate> chain) {
        return chain.stream().map(c -> c.getNotAfter().toInstant()).min(Instant::compareTo).orElseThrow();
    }

    /** Returns whether the signature is the key's over these octets; false too if it is no signature at all. */
    public static boolean verify(PublicKey key, byte[] octets, byte[] signed) {
        try {
            Signature signature = Signature.getInstance(algorithm(key.getAlgorithm()));
            signature.initVerify(key);
            signature.update(octets);
            return signature.verify(signed);
        } catch (GeneralSecurityException e) {
            return false;
        }
    }

    private boolean isRoot(X509Certificate certificate) {
        return roots.stream().anyMatch(root -> root.getPublicKey().equals(certificate.getPublicKey())
                && root.getSubjectX500Principal().equals(certificate.getSubjectX500Principal()));
    }

    private static String algorithm(String key) {
        return switch (key) {
            case "EC" -> "SHA256withECDSA";
            case "RSA" -> "SHA256withRSA";
            default -> key; // EdDSA: the key names its signature
        };
    }

    private static List<X509Certificate> certificates(Path file) throws IdentityException {
        List<X509Certificate> found = new ArrayList<>();
        try {
            CertificateFactory factory = CertificateFactory.getInstance("X.509");
            for (Certificate certificate : factory.generateCertificates(new ByteArrayInputStream(octets(file)))) {
                found.add((X509Certificate) certificate);
            }
        } catch (CertificateException e) {
            throw new IdentityException(file + " is not a PEM certificate: " + e.getMessage(), e);
        }
        if (found.isEmpty()) {
            throw new IdentityException(false, file + " holds no certificate");
        }
        return List.copyOf(found);
    }

    private static byte[] octets(Path file) throws IdentityException {
        try {
            return Files.readAllBytes(file);
        } catch (NoSuchFileException | NotDirectoryException _) {
            throw new IdentityException(true, file + " is not there");
        } catch (IOException e) {
            throw new IdentityException(file + " cannot be read: " + e.getMessage(), e);
        }
    }

    /** The DER forms of a chain's certificates, for the wire. */
    public static List<byte[]> encode(List<X509Certificate> chain) {
        List<byte[]> ders = new ArrayList<>();
        for (X509Certificate certificate : chain) {
            try {
                ders.add(certificate.getEncoded());
            } catch (CertificateException e) {
                throw new IllegalStateException("a certificate read from a file has no DER form", e);
            }
        }
        return ders;
    }

    /**
     * Reads the DER forms of a chain's certificates.
     *
     * @throws CertificateException if one is no certificate
     */
    public static List<X509Certificate> decode(List<byte[]> ders) throws CertificateException {
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        List<X509Certificate> chain = new ArrayList<>();
        for (byte[] der : ders) {
            chain.add((X509Certificate) factory.generateCertificate(new ByteArrayInputStream(der)));
        }
        if (chain.isEmpty()) {
            throw new CertificateException("empty certificate chain");
        }
        return chain;
    }
}
