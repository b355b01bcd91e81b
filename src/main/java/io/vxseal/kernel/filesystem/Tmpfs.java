package io.vxseal.kernel.filesystem;

import io.vxseal.kernel.libc.LibC;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A file system in memory, for files that must outlive this process but never reach a disk. */
public final class Tmpfs {
    private static final Logger log = LoggerFactory.getLogger(Tmpfs.class);

    private static final long FLAGS = LibC.MS_NOSUID | LibC.MS_NODEV | LibC.MS_NOEXEC;
    private static final String OPTIONS = "mode=0700,size=1m";

    /** Since Linux 6.4; older kernels refuse it with EINVAL. */
    private static final String NOSWAP = "noswap";

    private Tmpfs() {}

    /**
     * Mounts a tmpfs of one mebibyte, mode 0700 and never swapped, on the folder, unless one is mounted there. Files in the
     * folder move into it. The mount outlives this process, and other processes see it in a shared mount. On a kernel without
     * noswap any tmpfs is accepted, and a warning is logged.
     *
     * @param folder created if it does not exist
     * @throws IOException if the kernel refused the mount, or a file could not be moved
     */
    public static void mount(Path folder) throws IOException {
        Files.createDirectories(folder);
        if (isUnswapped(folder)) {
            return;
        }
        boolean inMemory = Files.getFileStore(folder).type().equals("tmpfs");
        Map<Path, byte[]> files = takeAway(folder);
        try {
            if (!mount(folder, OPTIONS + "," + NOSWAP)) {
                if (!inMemory && !mount(folder, OPTIONS)) {
                    throw LibC.failure("mount a tmpfs on " + folder);
                }
                log.warn("this kernel has no tmpfs without swap (Linux 6.4 or later has): keys in {} may reach this host's swap "
                        + "space; turn swap off or encrypt it", folder);
            }
        } finally {
            putBack(files);
        }
    }

    private static boolean mount(Path folder, String options) {
        return LibC.INSTANCE.mount("tmpfs", folder.toString(), "tmpfs", FLAGS, options) == 0;
    }

    /** Returns whether the topmost mount on the folder is a tmpfs that is never swapped: the last one listed. */
    private static boolean isUnswapped(Path folder) throws IOException {
        String place = " " + folder.toRealPath().toString().replace(" ", "\\040") + " tmpfs ";
        List<String> there = Files.readAllLines(Path.of("/proc/self/mounts")).stream()
                .filter(line -> line.contains(place))
                .toList();
        return !there.isEmpty() && List.of(there.getLast().split("[ ,]")).contains(NOSWAP);
    }

    /** Reads and deletes the files in the folder, so that none remains hidden below the new mount. */
    private static Map<Path, byte[]> takeAway(Path folder) throws IOException {
        Map<Path, byte[]> files = new HashMap<>();
        try (Stream<Path> there = Files.list(folder)) {
            for (Path file : there.filter(Files::isRegularFile).toList()) {
                files.put(file, Files.readAllBytes(file));
                Files.delete(file);
            }
        }
        return files;
    }

    private static void putBack(Map<Path, byte[]> files) throws IOException {
        for (Map.Entry<Path, byte[]> each : files.entrySet()) {
            Files.write(each.getKey(), each.getValue());
            Files.setPosixFilePermissions(
                    each.getKey(), Set.of(PosixFilePermission.OWNER_READ, PosixFilePermission.OWNER_WRITE));
        }
    }
}
