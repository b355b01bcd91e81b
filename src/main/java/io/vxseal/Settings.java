package io.vxseal;

import io.vxseal.encryption.Key;
import io.vxseal.kernel.firewall.Firewall;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.time.format.DateTimeParseException;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Settings of the plugin, which config.json lets an operator set.
 *
 * @param socket on which the engine finds the plugin
 * @param state folder that survives the process and reboots
 * @param run folder that survives the process but no reboot, with what is mounted in it
 * @param swarm the engine's swarm folder, with the node's certificates
 * @param logLevel error, warn, info, debug or trace
 * @param vxlanPort UDP
 * @param clusterPort TCP
 * @param keyRotation time that a key is in use
 * @param replayWindow of the keys that this node generates, packets; 0 for none
 * @param firewall which firewall gets the rules
 * @param metrics where metrics are served over TCP; empty for nowhere
 * @param sandboxes folder in which the engine mounts the containers' network namespaces
 * @param services whether the addresses of services are answered
 * @param engine where the engine's socket is, if the plugin has it; empty for nowhere
 */
record Settings(
        Path socket,
        Path state,
        Path run,
        Path swarm,
        String logLevel,
        int vxlanPort,
        int clusterPort,
        Duration keyRotation,
        int replayWindow,
        Firewall.Backend firewall,
        Optional<InetSocketAddress> metrics,
        Path sandboxes,
        boolean services,
        Optional<Path> engine) {

    private static final Set<String> LOG_LEVELS = Set.of("error", "warn", "info", "debug", "trace");

    /**
     * Reads the environment.
     *
     * @throws IllegalArgumentException naming the variable, its value and the remedy
     */
    static Settings of(Map<String, String> environment) {
        return new Settings(
                socket(environment),
                Path.of(environment.getOrDefault("VXSEAL_STATE", "/var/lib/vxseal")),
                Path.of(environment.getOrDefault("VXSEAL_RUN", "/run/vxseal")),
                Path.of(environment.getOrDefault("VXSEAL_SWARM", "/var/lib/docker/swarm")),
                logLevel(environment.getOrDefault("VXSEAL_LOG_LEVEL", "info")),
                port("VXSEAL_VXLAN_PORT", environment.getOrDefault("VXSEAL_VXLAN_PORT", "4789")),
                port("VXSEAL_CLUSTER_PORT", environment.getOrDefault("VXSEAL_CLUSTER_PORT", "4788")),
                duration("VXSEAL_KEY_ROTATION", environment.getOrDefault("VXSEAL_KEY_ROTATION", "12h")),
                replayWindow("VXSEAL_REPLAY_WINDOW", environment.getOrDefault("VXSEAL_REPLAY_WINDOW", "0")),
                firewall(environment.getOrDefault("VXSEAL_FIREWALL", "auto")),
                metrics("VXSEAL_METRICS", environment.getOrDefault("VXSEAL_METRICS", "")),
                Path.of(environment.getOrDefault("VXSEAL_SANDBOXES", "/run/docker/netns")),
                onOrOff("VXSEAL_SERVICES", environment.getOrDefault("VXSEAL_SERVICES", "on")),
                Optional.ofNullable(environment.get("VXSEAL_ENGINE")).filter(path -> !path.isEmpty()).map(Path::of));
    }

    /** Returns the path to listen on, which the process needs before all other settings. */
    static Path socket(Map<String, String> environment) {
        return Path.of(environment.getOrDefault("VXSEAL_SOCKET", "/run/docker/plugins/vxseal.sock"));
    }

    private static String logLevel(String value) {
        String level = value.toLowerCase(Locale.ROOT);
        if (!LOG_LEVELS.contains(level)) {
            throw wrong("VXSEAL_LOG_LEVEL", value, "want error, warn, info, debug or trace");
        }
        return level;
    }

    private static int port(String name, String value) {
        try {
            int port = Integer.parseInt(value);
            if (port >= 1 && port <= 0xffff) {
                return port;
            }
        } catch (NumberFormatException notOne) {
            // answered as a port out of range
        }
        throw wrong(name, value, "want a port from 1 to 65535");
    }

    /** Reads a duration as Docker writes it, of hours, minutes and seconds: 90s, 30m, 12h, 1h30m. */
    private static Duration duration(String name, String value) {
        try {
            Duration duration = Duration.parse("PT" + value);
            if (duration.compareTo(Duration.ofSeconds(30)) >= 0) {
                return duration;
            }
        } catch (DateTimeParseException notOne) {
            // answered as a duration that is too short
        }
        throw wrong(name, value, "want 30s or more, as in 12h or 1h30m");
    }

    private static int replayWindow(String name, String value) {
        try {
            int packets = Integer.parseInt(value);
            if (Key.isReplayWindow(packets)) {
                return packets;
            }
        } catch (NumberFormatException notOne) {
            // answered as a window that no key can have
        }
        throw wrong(name, value, "want 0 for none, or %d to %d packets"
                .formatted(Key.LEAST_REPLAY_WINDOW, Key.MOST_REPLAY_WINDOW));
    }

    private static Firewall.Backend firewall(String value) {
        return switch (value.toLowerCase(Locale.ROOT)) {
            case "auto" -> Firewall.Backend.AUTO;
            case "iptables" -> Firewall.Backend.IPTABLES;
            case "nftables" -> Firewall.Backend.NFTABLES;
            default -> throw wrong("VXSEAL_FIREWALL", value, "want auto, iptables or nftables");
        };
    }

    /** Reads an address and a port, as in {@code 127.0.0.1:9494} or {@code [::1]:9494}. No name is looked up. */
    private static Optional<InetSocketAddress> metrics(String name, String value) {
        if (value.isEmpty()) {
            return Optional.empty();
        }
        int colon = value.lastIndexOf(':');
        try {
            int port = Integer.parseInt(value.substring(colon + 1));
            if (colon > 0 && port >= 1 && port <= 0xffff) {
                return Optional.of(new InetSocketAddress(InetAddress.ofLiteral(address(value.substring(0, colon))), port));
            }
        } catch (IllegalArgumentException notOne) {
            // answered as a port out of range
        }
        throw wrong(name, value, "want ADDRESS:PORT, as in 127.0.0.1:9494 or [::1]:9494, or nothing");
    }

    /** Returns an IPv6 address without its brackets, and an IPv4 address as it is. */
    private static String address(String host) {
        boolean brackets = host.startsWith("[") && host.endsWith("]");
        if (brackets != host.contains(":")) {
            throw new IllegalArgumentException(host);
        }
        return brackets ? host.substring(1, host.length() - 1) : host;
    }

    private static boolean onOrOff(String name, String value) {
        return switch (value.toLowerCase(Locale.ROOT)) {
            case "on" -> true;
            case "off" -> false;
            default -> throw wrong(name, value, "want on or off");
        };
    }

    private static IllegalArgumentException wrong(String name, String value, String remedy) {
        return new IllegalArgumentException("invalid %s \"%s\": %s".formatted(name, value, remedy));
    }
}
