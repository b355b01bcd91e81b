package io.vxseal.lab;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * A guest's kernel, initial RAM disk and root file system, made by {@code guest/build}. The name of their folder
 * changes with everything that goes into them.
 */
record Image(Path folder) {

    private static final Duration LIMIT = Duration.ofMinutes(25);

    /** Returns the image of a Debian suite, and makes it if the cache has none. */
    static Image of(Path labHome, String suite) {
        String answer = Host.run(LIMIT, List.of(labHome.resolve("guest/build").toString(), suite)).require();
        return new Image(Path.of(answer.lines().toList().getLast()));
    }

    String key() {
        return folder.getFileName().toString();
    }

    Path kernel() {
        return folder.resolve("kernel");
    }

    Path initrd() {
        return folder.resolve("initrd");
    }

    Path root() {
        return folder.resolve("root.squashfs");
    }

    String kernelVersion() {
        try {
            return Files.readString(folder.resolve("version")).strip();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
