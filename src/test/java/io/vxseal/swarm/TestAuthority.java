package io.vxseal.swarm;

import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;
import java.util.concurrent.atomic.AtomicLong;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.cert.CertIOException;
import org.bouncycastle.cert.X509v3CertificateBuilder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.openssl.jcajce.JcaPEMWriter;
import org.bouncycastle.openssl.jcajce.JcaPKCS8Generator;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;

/** A swarm's CA in this process: issues the certificates of a thousand nodes in seconds, of the shape that swarmkit gives them. */
public final class TestAuthority {
    private static final Duration VALID = Duration.ofDays(90);

    private final Path folder;
    private final String swarm;
    private final AtomicLong serial = new AtomicLong();
    private final KeyPair key = keyPair();
    private final X500Name name = new X500Name("CN=swarm-ca");
    private final X509Certificate root;

    /**
     * Makes a root.
     *
     * @param folder for the nodes' files
     */
    public TestAuthority(Path folder, String swarm) {
        this.folder = folder;
        this.swarm = swarm;
        this.root = sign(name, key, Instant.now().plus(VALID), true);
    }

    /** Issues a node's certificate and reads it as the product does. */
    public SwarmIdentity node(String node, Role role) {
        return node(node, role, Instant.now().plus(VALID));
    }

    /** Issues a node's certificate that holds until then. */
    public SwarmIdentity node(String node, Role role, Instant until) {
        Path to = path(node);
        write(node, role, until, to);
        try {
            return SwarmIdentity.read(to);
        } catch (IdentityException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Writes a node's three files into a folder of its own, and returns that. */
    public Path folder(String node, Role role) {
        Path to = path(node);
        write(node, role, Instant.now().plus(VALID), to);
        return to;
    }

    /** Returns the folder of a node's files. */
    public Path path(String node) {
        return folder.resolve(swarm + "-" + node);
    }

    private void write(String node, Role role, Instant until, Path to) {
        KeyPair own = keyPair();
        String unit = role == Role.MANAGER ? "swarm-manager" : "swarm-worker";
        X509Certificate certificate =
                sign(new X500Name("O=" + swarm + ",OU=" + unit + ",CN=" + node), own, until, false);
        try {
            Files.createDirectories(to);
            Files.writeString(to.resolve(SwarmIdentity.CERTIFICATE), pem(certificate));
            Files.writeString(to.resolve(SwarmIdentity.KEY), pem(new JcaPKCS8Generator(own.getPrivate(), null)));
            Files.writeString(to.resolve(SwarmIdentity.ROOT), pem(root));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private X509Certificate sign(X500Name subject, KeyPair subjectKey, Instant until, boolean authority) {
        try {
            X509v3CertificateBuilder builder = new JcaX509v3CertificateBuilder(name,
                    BigInteger.valueOf(serial.incrementAndGet()),
                    Date.from(Instant.now().minus(VALID)), Date.from(until), subject, subjectKey.getPublic());
            builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(authority));
            if (authority) {
                builder.addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.keyCertSign | KeyUsage.cRLSign));
            } else {
                builder.addExtension(Extension.keyUsage, true,
                        new KeyUsage(KeyUsage.digitalSignature | KeyUsage.keyEncipherment));
                builder.addExtension(Extension.extendedKeyUsage, false, new ExtendedKeyUsage(
                        new KeyPurposeId[] {KeyPurposeId.id_kp_serverAuth, KeyPurposeId.id_kp_clientAuth}));
            }
            return new JcaX509CertificateConverter().getCertificate(
                    builder.build(new JcaContentSignerBuilder("SHA256withECDSA").build(key.getPrivate())));
        } catch (GeneralSecurityException | OperatorCreationException | CertIOException e) {
            throw new IllegalStateException(e);
        }
    }

    private static KeyPair keyPair() {
        try {
            KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
            generator.initialize(new ECGenParameterSpec("secp256r1"));
            return generator.generateKeyPair();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    private static String pem(Object object) throws IOException {
        StringWriter text = new StringWriter();
        try (JcaPEMWriter writer = new JcaPEMWriter(text)) {
            writer.writeObject(object);
        }
        return text.toString();
    }
}
