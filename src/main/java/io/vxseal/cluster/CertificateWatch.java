package io.vxseal.cluster;

import io.vxseal.swarm.CertificateFiles;
import io.vxseal.swarm.IdentityException;
import io.vxseal.swarm.LockedKeyException;
import io.vxseal.swarm.SwarmIdentity;
import io.vxseal.swarm.UnlockKey;
import io.vxseal.swarm.UnlockKeySource;
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

    private static final String REMEDY = ". Until `docker swarm update --autolock=false`, or until the plugin has the engine's socket "
            + "(`docker plugin set vxseal engine.source=/run/docker.sock`, while it is disabled), ";

    private static final String NOT_JOINED =
            "this manager learns of no endpoints of other nodes, and makes no keys; when that is done, it joins the others by itself";

    private static final String JOINED = "this manager goes on with the certificate that it read before, at most until that expires or the plugin restarts";

    private final CertificateFiles files;
    private final Optional<UnlockKeyRequests> unlocking;
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

    /** @param unlockKeys gives the key of a private key that is encrypted; empty if nobody does */
    CertificateWatch(Path folder, Optional<UnlockKeySource> unlockKeys, Listener listener) {
        this.files = new CertificateFiles(folder);
        this.unlocking = unlockKeys.map(UnlockKeyRequests::new);
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
        Optional<UnlockKey> key = unlocking.flatMap(UnlockKeyRequests::take);
        try {
            SwarmIdentity now = files.read(key);
            missingSince = Optional.empty();
            problem = Optional.empty();
            unlocking.ifPresent(UnlockKeyRequests::end);
            if (current.isEmpty() || !current.get().same(now)) {
                listener.replaced(now);
            }
        } catch (LockedKeyException e) {
            files.again();
            unlock(e.getMessage(), current.isPresent());
        } catch (IdentityException e) {
            files.again();
            if (key.isPresent() && !e.isAbsent()) {
                // The next look, which has no key, says so.
                unlocking.orElseThrow().failed(e.getMessage());
            } else {
                log(e);
            }
            if (e.isAbsent() && current.isPresent()) {
                awaitReturn(current.get());
            }
        } finally {
            key.ifPresent(UnlockKey::close);
        }
    }

    /** Requests the key that unlocks the private key. A later look takes it: an answer may take seconds. */
    private void unlock(String why, boolean joined) {
        if (unlocking.isEmpty()) {
            String now = why + REMEDY + (joined ? JOINED : NOT_JOINED);
            becomes(now, () -> LOG.error("{}: {}", impossible(joined), now));
            return;
        }
        unlocking.get().request();
        Optional<String> failure = unlocking.get().failure();
        if (failure.isEmpty()) {
            becomes(why + ": asking it", () -> LOG.info("{}: asking it", why));
        } else {
            becomes(why + "; " + failure.get(), () -> LOG.error("{}, retrying: {}; {}", impossible(joined), why, failure.get()));
        }
    }

    private static String impossible(boolean joined) {
        return joined ? "cannot read the certificates that replace this manager's" : "cannot join the cluster";
    }

    private void log(IdentityException failure) {
        becomes(failure.getMessage(), () -> {
            if (failure.isAbsent()) {
                LOG.info("waiting for the swarm's certificates: {}", failure.getMessage());
            } else {
                LOG.error("cannot join the cluster: {}", failure.getMessage());
            }
        });
    }

    /** Keeps a problem, and logs it if it is another than before. */
    private void becomes(String now, Runnable log) {
        if (!problem.equals(Optional.of(now))) {
            problem = Optional.of(now);
            log.run();
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
