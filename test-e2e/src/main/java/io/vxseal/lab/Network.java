package io.vxseal.lab;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * The laboratory's network: a namespace with one bridge and a tap for each guest. Nothing leads out of it.
 * Every program of the laboratory that outlives a command runs in that namespace, so a later
 * run finds the remains of an earlier one that was killed.
 */
final class Network implements AutoCloseable {

    static final String NAMESPACE = "vxseal-lab";
    static final String BRIDGE = "wire";

    private Network() {}

    static Network make(int guests) {
        sweep();
        Host.run("ip", "netns", "add", NAMESPACE);
        // Keeps the host's side of the bridge from announcing itself on the wire.
        inside("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1");
        // Engines ask the host for names that they do not know, and wait for seconds where it is too busy refusing.
        inside("sysctl", "-qw", "net.ipv4.icmp_ratelimit=0");
        inside("ip", "link", "set", "lo", "up");
        inside("ip", "link", "add", BRIDGE, "type", "bridge", "stp_state", "0", "mcast_snooping", "0");
        inside("ip", "addr", "add", "10.55.0.254/24", "dev", BRIDGE);
        inside("ip", "link", "set", BRIDGE, "up");
        for (int n = 1; n <= guests; n++) {
            addTap(n);
        }
        return new Network();
    }

    static void addTap(int guest) {
        inside("ip", "tuntap", "add", tap(guest), "mode", "tap");
        inside("ip", "link", "set", tap(guest), "master", BRIDGE, "up");
    }

    static String tap(int guest) {
        return "tap" + guest;
    }

    static String inside(String... words) {
        return Host.run(within(List.of(words)).toArray(String[]::new));
    }

    /** Returns a command line that runs in the namespace. */
    static List<String> within(List<String> words) {
        var all = new ArrayList<>(List.of("nsenter", "--net=/run/netns/" + NAMESPACE, "--"));
        all.addAll(words);
        return List.copyOf(all);
    }

    /** Ends everything in the namespace, and the namespace. */
    static void sweep() {
        if (Host.run("ip", "netns", "list").lines().noneMatch(line -> line.split(" ")[0].equals(NAMESPACE))) {
            return;
        }
        Host.run("ip", "netns", "pids", NAMESPACE).lines().map(Long::parseLong)
                .forEach(pid -> ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly));
        Await.until("the end of what runs in " + NAMESPACE, Duration.ofSeconds(10),
                () -> Host.run("ip", "netns", "pids", NAMESPACE).isEmpty());
        Host.run("ip", "netns", "del", NAMESPACE);
    }

    @Override
    public void close() {
        sweep();
    }
}
