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

/** A file system in memory: for what must outlive this process but never reach a disk. */
public final class Tmpfs {
    private static final Logger log = LoggerFactory.getLogger(Tmpfs.class);

    private static final long FLAGS = LibC.MS_NOSUID | LibC.MS_NODEV | LibC.MS_NOEXEC;
    private static final String OPTIONS = "mode=0700,size=1m";

    /** Since Linux 6.4; older kernels say EINVAL. */
    private static final String NOSWAP = "noswap";

    private Tmpfs() {}

    /**
     * Mounts one, mode 0700, of a mebibyte and never swapped, on a folder that is none yet. What files are in the folder
     * are in it then, too. It stays when this process ends; in a shared mount others see it too. Where the kernel knows none
     * without swap, any folder in memory will do, and the log says so.
     *
     * @param folder made if it is not there
     * @throws IOException what the kernel or the file system under the folder said
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
                log.warn("this kernel has no tmpfs without swap (Linux 6.4 has): keys in {} may reach this host's swap space; "
                        + "turn swap off or encrypt it", folder);
            }
        } finally {
            putBack(files);
        }
    }

    private static boolean mount(Path folder, String options) {
        return LibC.INSTANCE.mount("tmpfs", folder.toString(), "tmpfs", FLAGS, options) == 0;
    }

    /** Whether a tmpfs is mounted right there that is never swapped: of those over each other the last listed counts. */
    private static boolean isUnswapped(Path folder) throws IOException {
        String place = " " + folder.toRealPath().toString().replace(" ", "\\040") + " tmpfs ";
        List<String> there = Files.readAllLines(Path.of("/proc/self/mounts")).stream()
                .filter(line -> line.contains(place))
                .toList();
        return !there.isEmpty() && List.of(there.getLast().split("[ ,]")).contains(NOSWAP);
    }

    /** So that nothing is left of them where the new file system hides it. */
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
