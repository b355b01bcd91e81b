package io.vxseal.state;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.EnumSet;
import java.util.Objects;

/** Replacement of a file as a whole: after a crash it holds the content before or the content after. */
public final class WholeFile {
    private WholeFile() {}

    /**
     * Replaces a file's content. The file has mode 0600 from its creation, and is on the disk when this returns.
     *
     * @param file its folder is created if it does not exist
     */
    public static void replace(Path file, byte[] content) throws IOException {
        Path folder = Objects.requireNonNull(file.toAbsolutePath().getParent(), "a file lies in a folder");
        if (!Files.isDirectory(folder)) {
            create(folder);
        }
        Path next = folder.resolve(file.getFileName() + ".next");
        Files.deleteIfExists(next);
        try (FileChannel channel = FileChannel.open(
                next,
                EnumSet.of(StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
            ByteBuffer bytes = ByteBuffer.wrap(content);
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
            channel.force(true);
        }
        Files.move(next, file, StandardCopyOption.ATOMIC_MOVE);
        // Which file has the name is content of the folder: without this a power failure may bring the previous file back.
        sync(folder);
    }

    /** Creates a folder and those above it. They are on the disk when this returns. */
    private static void create(Path folder) throws IOException {
        Path above = folder.getParent();
        if (above != null && !Files.isDirectory(above)) {
            create(above);
        }
        Files.createDirectories(folder);
        if (above != null) {
            sync(above);
        }
    }

    private static void sync(Path folder) throws IOException {
        try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }
}
