package io.vxseal.check.host;

import io.vxseal.check.Finding;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Check whether the folder of plugins' sockets is on a shared mount.
 *
 * @param plugins the folder
 */
public record MountCheck(Path plugins) implements HostProbe {
    private static final String CHECK = "shared mount";

    @Override
    public List<Finding> run() throws IOException {
        String longest = "";
        boolean shared = false;
        for (String line : Files.readAllLines(Path.of("/proc/self/mountinfo"))) {
            String[] words = line.split(" ");
            // proc_pid_mountinfo(5): the fifth field is the mount point, and optional fields follow the sixth.
            if (plugins.toAbsolutePath().startsWith(words[4]) && words[4].length() >= longest.length()) {
                longest = words[4];
                shared = line.contains(" shared:");
            }
        }
        return List.of(shared
                ? Finding.fit(CHECK, "%s is on a shared mount (%s)".formatted(plugins, longest))
                : Finding.unfit(CHECK,
                        "%s is on %s, which is not shared: networks would not outlive the plugin".formatted(plugins, longest),
                        "mount --make-shared " + longest));
    }
}
