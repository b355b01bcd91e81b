package io.vxseal.check.host;

import io.vxseal.check.Finding;
import io.vxseal.kernel.libc.KernelClock;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * Check whether the clock is within the validity of the node's certificate, and kept in step.
 *
 * @param swarm the engine's swarm folder
 */
public record ClockCheck(Path swarm) implements HostProbe {
    private static final String CHECK = "clock";
    private static final String REMEDY = "timedatectl set-ntp true";

    @Override
    public List<Finding> run() throws IOException {
        Optional<X509Certificate> certificate = NodeCertificate.read(swarm).map(NodeCertificate::certificate);
        return List.of(judge(certificate, absence(), Instant.now(), KernelClock.isSynchronised()));
    }

    /** Returns why there is no certificate. An engine makes the folder when it first starts, and the certificate when it joins a swarm. */
    private String absence() {
        return Files.isDirectory(swarm)
                ? "this engine is in no swarm"
                : "there is no folder %s; if the engine's data root is elsewhere, name it (the plugin's swarm.source, --data-root)".formatted(swarm);
    }

    /** Judges a clock. One that nobody keeps in step is no failure: it may be right, and not every such program tells the kernel. */
    static Finding judge(Optional<X509Certificate> certificate, String absence, Instant now, boolean synchronised) {
        if (certificate.isPresent()) {
            Instant from = certificate.get().getNotBefore().toInstant();
            Instant to = certificate.get().getNotAfter().toInstant();
            if (now.isBefore(from) || now.isAfter(to)) {
                return Finding.unfit(CHECK,
                        "this node's certificate is valid from %s to %s and the clock says %s: other nodes refuse its sessions"
                                .formatted(from, to, now),
                        REMEDY);
            }
        }
        String validity = certificate.isPresent()
                ? "within the validity of this node's certificate"
                : "not compared with a certificate: " + absence;
        return synchronised
                ? Finding.fit(CHECK, validity + ", and synchronised by what the kernel knows")
                : Finding.warning(CHECK, validity + ", but the kernel knows of no program that synchronises it: once it is too far off, "
                        + "other nodes refuse this node's sessions", REMEDY);
    }
}
