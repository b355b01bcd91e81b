package io.vxseal.lab;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/** A host's own disk: all that the host writes, over the image that all hosts share. */
final class Disk {

    private static final long SIZE = 4L << 30;
    private static final Duration LIMIT = Duration.ofMinutes(2);

    private Disk() {}

    static Path of(Machine.Place place) {
        return place.file("disk");
    }

    static void blank(Machine.Place place) {
        Path disk = of(place);
        try {
            Files.deleteIfExists(disk);
            try (var file = new RandomAccessFile(disk.toFile(), "rw")) {
                file.setLength(SIZE);
            }
        } catch (IOException e) {
            throw new LabException("cannot make the disk " + disk + ": " + e.getMessage(), e);
        }
        Host.run(LIMIT, List.of("mke2fs", "-q", "-t", "ext4", "-E", "lazy_itable_init=1,lazy_journal_init=1", disk.toString())).require();
    }

    /** Copies a disk and keeps its holes. */
    static void copy(Path from, Path to) {
        Host.run(LIMIT, List.of("cp", "--sparse=always", "--reflink=auto", from.toString(), to.toString())).require();
    }
}
