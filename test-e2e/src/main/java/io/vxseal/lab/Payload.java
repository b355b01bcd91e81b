package io.vxseal.lab;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * The files that change from build to build, on a read-only disk of their own. The disk is part of a saved guest's hardware,
 * but the guest has not read it yet, so a run may replace its content. Where it has, because the product is
 * installed, the disk is kept with the state. Its size is part of the hardware and always the same.
 */
final class Payload {

    private static final long SIZE = 512L << 20;
    private static final Duration LIMIT = Duration.ofMinutes(2);

    private Payload() {}

    static Path empty(Path disk) {
        try {
            Files.deleteIfExists(disk);
            Files.createFile(disk);
            return padded(disk);
        } catch (IOException e) {
            throw new LabException("cannot make the disk " + disk + ": " + e.getMessage(), e);
        }
    }

    /** Writes a disk with the parts of the product's tree that a host needs: {@code plugin/} and {@code target/plugin/}; and Prometheus. */
    static Path of(Product product, Path disk) {
        return of(product, List.of(), disk);
    }

    /** Writes such a disk with the product's own tests as well, and their libraries. */
    static Path withTests(Product product, Path disk) {
        return of(product, product.tests(), disk);
    }

    private static Path of(Product product, List<Path> more, Path disk) {
        Path staged = disk.resolveSibling("payload");
        try {
            Files.deleteIfExists(disk);
            Files.createDirectories(staged.resolve("target"));
            if (Files.isDirectory(product.scripts())) {
                copy(product.scripts(), staged.resolve("plugin"));
            }
            copy(product.folder(), staged.resolve("target/plugin"));
            if (Files.exists(Prometheus.PROGRAM)) {
                copy(Prometheus.PROGRAM, staged.resolve("prometheus"));
            }
            for (Path one : more) {
                copy(one, staged.resolve("target").resolve(one.getFileName()));
            }
            // Uncompressed: an emulated guest reads faster than it inflates.
            Host.run(LIMIT, List.of("mksquashfs", staged.toString(), disk.toString(),
                    "-noI", "-noD", "-noF", "-noX", "-no-xattrs", "-quiet", "-no-progress")).require();
            Host.run("rm", "-rf", "--one-file-system", staged.toString());
            return padded(disk);
        } catch (IOException e) {
            throw new LabException("cannot make the disk " + disk + ": " + e.getMessage(), e);
        }
    }

    private static void copy(Path from, Path to) {
        Host.run(LIMIT, List.of("cp", "-a", "--reflink=auto", from.toString(), to.toString())).require();
    }

    private static Path padded(Path disk) throws IOException {
        if (Files.size(disk) > SIZE) {
            throw new LabException("the plugin takes %d MiB; the guests' disk for it has %d"
                    .formatted(Files.size(disk) >> 20, SIZE >> 20));
        }
        try (var file = new RandomAccessFile(disk.toFile(), "rw")) {
            file.setLength(SIZE);
        }
        return disk;
    }

    static void mount(Guest guest) {
        guest.sh("blockdev --flushbufs /dev/vdb; mkdir -p /payload && mount -t squashfs -o ro /dev/vdb /payload");
    }
}
