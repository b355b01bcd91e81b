package io.vxseal.kernel.filesystem;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The identity of a folder of the host, independent of the path at which the plugin's mounts show it. */
public final class RunFolder {
    /** An escaped blank or backslash in a path: a backslash and three octal digits (proc_pid_mountinfo(5)). */
    private static final Pattern ESCAPED = Pattern.compile("\\\\([0-7]{3})");

    private RunFolder() {}

    /**
     * A mount.
     *
     * @param device number of the file system's device
     * @param root folder of the file system that is mounted
     * @param point where it is mounted
     */
    private record Mount(String device, Path root, Path point) {
        // Fields of a line of /proc/PID/mountinfo
        private static final int DEVICE = 2;
        private static final int ROOT = 3;
        private static final int POINT = 4;

        static Mount of(String line) {
            String[] fields = line.split(" ");
            return new Mount(fields[DEVICE], path(fields[ROOT]), path(fields[POINT]));
        }

        private static Path path(String field) {
            return Path.of(ESCAPED.matcher(field)
                    .replaceAll(octal -> Matcher.quoteReplacement(String.valueOf((char) Integer.parseInt(octal.group(1), 8)))));
        }
    }

    /**
     * Returns the device, the path on it and the boot id in one word. Equal words identify one folder. A folder's word changes
     * with each boot of the host, because mounts below the folder do not survive it.
     *
     * @param folder an existing folder
     */
    public static String identity(Path folder) throws IOException {
        Path real = folder.toRealPath();
        Optional<Mount> mount = Optional.empty();
        // The mount with the longest matching path; of several on one point the last hides the others.
        for (String line : Files.readAllLines(Path.of("/proc/self/mountinfo"))) {
            Mount next = Mount.of(line);
            if (real.startsWith(next.point)
                    && next.point.getNameCount() >= mount.map(before -> before.point.getNameCount()).orElse(0)) {
                mount = Optional.of(next);
            }
        }
        Mount nearest = mount.orElseThrow(() -> new IOException("no mount is above " + real));
        String boot = Files.readString(Path.of("/proc/sys/kernel/random/boot_id")).strip();
        return nearest.device + nearest.root.resolve(nearest.point.relativize(real)).normalize() + "@" + boot;
    }
}
