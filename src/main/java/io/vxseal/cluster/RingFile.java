package io.vxseal.cluster;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The ring in force, kept on a tmpfs so that a crash does not lose it. Without the file the node still gets the ring
 * from the others; so trouble with it is told, not thrown.
 */
final class RingFile {
    private static final Logger LOG = LoggerFactory.getLogger(RingFile.class);

    private final Path folder;
    private final Path file;

    RingFile(Path folder) {
        this.folder = folder;
        this.file = folder.resolve("ring");
    }

    /** What was kept, if this swarm's managers signed it. */
    Optional<SignedRing> read(SwarmIdentity identity) {
        try {
            if (Files.size(file) > SignedRing.LIMIT) {
                throw new RefusedException("ring of " + Files.size(file) + " octets");
            }
            return Optional.of(SignedRing.open(identity, Files.readAllBytes(file)));
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

    /** Whole or not at all, and never readable to others: created closed, then renamed. */
    void write(SignedRing ring) {
        Path fresh = folder.resolve("ring.new");
        try {
            Files.createDirectories(folder);
            Files.deleteIfExists(fresh);
            try (FileChannel out = FileChannel.open(fresh,
                    Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
                ByteBuffer octets = ByteBuffer.wrap(ring.octets());
                while (octets.hasRemaining()) {
                    out.write(octets);
                }
            }
            Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            LOG.warn("{} cannot be written; a crash of this process would lose the ring here: {}", file, e.toString());
        }
    }
}
