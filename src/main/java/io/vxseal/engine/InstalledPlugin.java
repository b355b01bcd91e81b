package io.vxseal.engine;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * A plugin that an engine has installed.
 *
 * @param id names its folder, and its socket's
 * @param socket name of its socket, by which it is recognised: its own name is whatever the operator chose
 * @param settings values by name, as {@code docker plugin set} takes them: of variables, and of mounts as {@code MOUNT.source}
 */
public record InstalledPlugin(String id, boolean enabled, String socket, Map<String, String> settings) {
    /** Copies the settings. */
    public InstalledPlugin {
        settings = Map.copyOf(settings);
    }

    /** Returns the one that is enabled, or the only one; empty if there is none, or more than one. */
    public static Optional<InstalledPlugin> only(List<InstalledPlugin> plugins) {
        return sole(plugins, InstalledPlugin::enabled).or(() -> sole(plugins, _ -> true));
    }

    private static Optional<InstalledPlugin> sole(List<InstalledPlugin> plugins, Predicate<InstalledPlugin> wanted) {
        List<InstalledPlugin> found = plugins.stream().filter(wanted).toList();
        return found.size() == 1 ? Optional.of(found.getFirst()) : Optional.empty();
    }
}
