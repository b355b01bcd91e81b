package io.vxseal.kernel.filesystem;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Which folder of the host a path of this process means, whatever the plugin's mounts call it. */
public final class RunFolder {
    /** Blanks and backslashes in a path are written as a backslash and three octal digits (proc_pid_mountinfo(5)). */
    private static final Pattern ESCAPED = Pattern.compile("\\\\([0-7]{3})");

    private RunFolder() {}

    /** A mount: the file system's device number, which part of it is mounted, and where. */
    private record Mount(String device, Path root, Path point) {
        static Mount of(String line) {
            String[] fields = line.split(" ");
            return new Mount(fields[2], path(fields[3]), path(fields[4]));
        }

        private static Path path(String field) {
            return Path.of(ESCAPED.matcher(field)
                    .replaceAll(octal -> Matcher.quoteReplacement(String.valueOf((char) Integer.parseInt(octal.group(1), 8)))));
        }
    }

    /**
     * Returns the device, the path on it and the boot in one word. Two that are equal are of one folder; the same folder has
     * another one after the host was started again, for what is mounted below it has not outlived that.
     *
     * @param folder that is there
     */
    public static String identity(Path folder) throws IOException {
        Path real = folder.toRealPath();
        Optional<Mount> mount = Optional.empty();
        // The mount whose point is nearest; of several on one point the last hides the others.
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
