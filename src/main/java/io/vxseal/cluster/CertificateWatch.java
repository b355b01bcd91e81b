package io.vxseal.cluster;

import io.vxseal.swarm.CertificateFiles;
import io.vxseal.swarm.IdentityException;
import io.vxseal.swarm.SwarmIdentity;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Watch over the certificates that the engine keeps for this node: what they contain, why they cannot be read, and that they are gone. */
final class CertificateWatch {
    private static final Logger LOG = LoggerFactory.getLogger(CertificateWatch.class);

    /** A renewal replaces files one by one; missing for longer, the swarm was left. */
    private static final Duration LEFT = Duration.ofSeconds(5);

    private final CertificateFiles files;
    private final Listener listener;
    private Optional<Long> missingSince = Optional.empty();
    private Optional<String> problem = Optional.empty();

    /** Is called by {@link #look}. */
    interface Listener {
        /** Takes certificates that are new, renewed, or of another swarm. */
        void replaced(SwarmIdentity now);

        /** Notes that this node left the swarm. */
        void gone();
    }

    CertificateWatch(Path folder, Listener listener) {
        this.files = new CertificateFiles(folder);
        this.listener = listener;
    }

    /**
     * Reads the files if they have changed.
     *
     * @param current the certificates that this node has
     */
    void look(Optional<SwarmIdentity> current) {
        if (!files.changed()) {
            return;
        }
        try {
            SwarmIdentity now = files.read();
            missingSince = Optional.empty();
            problem = Optional.empty();
            if (current.isEmpty() || !current.get().same(now)) {
                listener.replaced(now);
            }
        } catch (IdentityException e) {
            files.again();
            log(e);
            if (e.isAbsent() && current.isPresent()) {
                awaitReturn(current.get());
            }
        }
    }

    private void log(IdentityException failure) {
        if (problem.equals(Optional.of(failure.getMessage()))) {
            return;
        }
        problem = Optional.of(failure.getMessage());
        if (failure.isAbsent()) {
            LOG.info("waiting for the swarm's certificates: {}", failure.getMessage());
        } else {
            LOG.error("cannot join the cluster: {}", failure.getMessage());
        }
    }

    private void awaitReturn(SwarmIdentity current) {
        long missing = missingSince.orElseGet(System::nanoTime);
        missingSince = Optional.of(missing);
        if (System.nanoTime() - missing > LEFT.toNanos()) {
            LOG.info("the certificates are gone: this node left swarm {}", current.name().swarm());
            listener.gone();
        }
    }

    /** Returns why the certificates cannot be read. */
    Optional<String> problem() {
        return problem;
    }
}
