package io.vxseal.cluster.ring;

import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.refusal.Refusal;
import io.vxseal.cluster.refusal.RefusedException;
import io.vxseal.state.WholeFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The ring in force, kept on a tmpfs so that a crash does not lose it. Without the file the node still gets the ring
 * from the others; so a failure is logged, not thrown.
 */
public final class RingFile implements RingStore {
    private static final Logger LOG = LoggerFactory.getLogger(RingFile.class);

    private final Path file;

    /** The file "ring" in this folder. */
    public RingFile(Path folder) {
        this.file = folder.resolve("ring");
    }

    @Override
    public Optional<SignedRing> read(RingTrust trust) {
        try {
            if (Files.size(file) > Message.Ring.LIMIT) {
                throw new RefusedException(Refusal.BOUNDS, "ring of " + Files.size(file) + " octets");
            }
            return Optional.of(trust.open(Files.readAllBytes(file)));
        } catch (NoSuchFileException _) {
            return Optional.empty();
        } catch (IOException e) {
            LOG.warn("{} cannot be read, the ring comes from the other nodes: {}", file, e.toString());
            return Optional.empty();
        } catch (RefusedException e) {
            LOG.info("{} holds a {}; it is left alone until the next ring replaces it", file, e.getMessage());
            return Optional.empty();
        }
    }

    @Override
    public void write(SignedRing ring) {
        try {
            WholeFile.replace(file, ring.octets());
        } catch (IOException e) {
            LOG.warn("{} cannot be written; a crash of this process would lose the ring here: {}", file, e.toString());
        }
    }
}
