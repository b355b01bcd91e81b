package io.vxseal.swarm;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Detector of new certificates by the attributes of the engine's files: cheap enough for every second. */
public final class CertificateFiles {
    private final Path folder;
    private Optional<List<Object>> seen = Optional.empty();

    public CertificateFiles(Path folder) {
        this.folder = folder;
    }

    /** Returns whether the files are others than at the last {@link #read}; true before the first. */
    public boolean changed() {
        return !seen.equals(Optional.of(attributes()));
    }

    /**
     * Reads the files.
     *
     * @param unlockKey see {@link SwarmIdentity#read(Path, Optional)}, as for the exceptions
     */
    public SwarmIdentity read(Optional<UnlockKey> unlockKey) throws IdentityException {
        // Before the content: what is written while reading is then found changed the next time.
        seen = Optional.of(attributes());
        return SwarmIdentity.read(folder, unlockKey);
    }

    /** Drops what was read: the next look finds it changed. */
    public void again() {
        seen = Optional.empty();
    }

    private List<Object> attributes() {
        List<Object> all = new ArrayList<>();
        for (String name : List.of(SwarmIdentity.CERTIFICATE, SwarmIdentity.KEY, SwarmIdentity.ROOT)) {
            try {
                BasicFileAttributes file = Files.readAttributes(folder.resolve(name), BasicFileAttributes.class);
                all.add(List.of(file.lastModifiedTime(), file.size(), String.valueOf(file.fileKey())));
            } catch (IOException _) {
                all.add(name + " is not there");
            }
        }
        return all;
    }
}
