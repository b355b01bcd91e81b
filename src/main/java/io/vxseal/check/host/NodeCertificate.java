package io.vxseal.check.host;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.Optional;
import javax.security.auth.x500.X500Principal;

/** The certificate of this node in the engine's swarm folder. */
record NodeCertificate(X509Certificate certificate) {
    /** Reads it; empty if the engine is in no swarm. */
    static Optional<NodeCertificate> read(Path swarm) throws IOException {
        Path file = swarm.resolve("certificates/swarm-node.crt");
        if (!Files.exists(file)) {
            return Optional.empty();
        }
        try (InputStream in = Files.newInputStream(file)) {
            return Optional.of(
                    new NodeCertificate((X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(in)));
        } catch (CertificateException malformed) {
            throw new IOException("%s is no certificate: %s".formatted(file, malformed.getMessage()), malformed);
        }
    }

    /** Returns whether the swarm made the node a worker, which has no hub that others connect to. */
    boolean isWorkers() {
        return certificate.getSubjectX500Principal().getName(X500Principal.RFC2253).contains("OU=swarm-worker");
    }
}
