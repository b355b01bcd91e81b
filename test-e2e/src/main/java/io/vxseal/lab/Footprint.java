package io.vxseal.lab;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Everything that a network driver can leave behind on a host.
 * Without counters, ages and numbers assigned by the kernel, which change by themselves.
 */
public record Footprint(Map<String, List<String>> traces) {

    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final ObjectMapper JSON = new ObjectMapper();

    /** The file on a host, saved with the host's state. */
    private static final String KEPT = "/run/footprint.json";

    private static final Map<String, String> COMMANDS = new LinkedHashMap<>();

    static {
        COMMANDS.put("links", "ip -o link | awk -F': ' '{print $2}' | sed 's/@.*//'");
        COMMANDS.put("addresses", "ip -o addr | awk '{print $2, $4}'");
        COMMANDS.put("routes", "ip route show table all; ip rule; ip -6 rule");
        COMMANDS.put("forwarding entries", "bridge fdb show | grep permanent");
        COMMANDS.put("permanent neighbours", "ip neigh show nud permanent");
        COMMANDS.put("network namespaces", "lsns -t net -n -o COMMAND; grep nsfs /proc/self/mountinfo | awk '{print $5}'");
        // A plugin that is installed again has another id.
        COMMANDS.put("mounts", "awk '{print $5}' /proc/self/mountinfo | sed -E 's:(/docker/plugins/)[0-9a-f]{64}:\\1ID:'");
        COMMANDS.put("rules", "{ iptables-save; ip6tables-save; } | sed '/^#/d; s/ \\[[0-9]*:[0-9]*\\]$//'");
        COMMANDS.put("nftables", "nft -s list ruleset 2>/dev/null");
        COMMANDS.put("states", "ip xfrm state list nokeys");
        COMMANDS.put("policies", "ip xfrm policy");
        COMMANDS.put("listening sockets", "ss -Hltun | awk '{print $1, $5}'");
    }

    /**
     * Returns a host's footprint. First creates the base chains that iptables (on nftables) creates with the first
     * rule and never removes: they are iptables' own and empty.
     */
    public static Footprint of(Guest guest) {
        guest.sh("""
                for t in iptables ip6tables; do
                  $t -w -t mangle -A OUTPUT -m mark --mark 1 && $t -w -t mangle -D OUTPUT -m mark --mark 1
                  for c in INPUT OUTPUT; do
                    $t -w -A $c -m mark --mark 1 && $t -w -D $c -m mark --mark 1
                  done
                done""");
        Map<String, List<String>> traces = new LinkedHashMap<>();
        COMMANDS.forEach((what, command) -> traces.put(what,
                guest.run(command, LIMIT).out().lines().map(String::strip).filter(line -> !line.isEmpty()).sorted().toList()));
        return new Footprint(traces);
    }

    /**
     * Stores the host's footprint on the host, for a later comparison, once two in a row are the same: links may be new, and the kernel gives
     * them addresses a moment later, and those their routes once no other host has them.
     */
    static void keep(Guest guest) {
        Footprint kept = Await.value("the links and addresses of " + guest + " to stay as they are", LIMIT, () -> {
            Footprint first = of(guest);
            boolean settled = guest.sh("ip -6 addr show tentative -dadfailed").isBlank();
            return settled && of(guest).equals(first) ? Optional.of(first) : Optional.empty();
        });
        try {
            guest.copyIn(JSON.writeValueAsBytes(kept), KEPT);
        } catch (IOException e) {
            throw new LabException("cannot write down a footprint: " + e.getMessage(), e);
        }
    }

    /** Returns the footprint of a host from before the plugin was installed. */
    public static Footprint beforeInstallation(Guest guest) {
        try {
            return JSON.readValue(guest.sh("cat " + KEPT), Footprint.class);
        } catch (IOException e) {
            throw new LabException("cannot read " + KEPT + " of " + guest + ": " + e.getMessage(), e);
        }
    }

    /** Waits until a host is as it was: the engine and the kernel remove links and addresses a moment after they are asked to. */
    public static void awaitAsBefore(Guest guest, Footprint before, Duration limit) {
        Await.until(() -> guest + " to be as it was: " + of(guest).differences(before), limit,
                () -> of(guest).differences(before).isEmpty());
    }

    /** Returns the differences to an earlier footprint, one line each; empty if there are none. */
    public List<String> differences(Footprint before) {
        return traces.keySet().stream().flatMap(what -> {
            List<String> now = traces.get(what);
            List<String> then = before.traces.get(what);
            return Stream.concat(
                    now.stream().filter(line -> count(now, line) > count(then, line)).map(line -> "left in " + what + ": " + line),
                    then.stream().filter(line -> count(then, line) > count(now, line)).map(line -> "lost from " + what + ": " + line));
        }).distinct().toList();
    }

    private static long count(List<String> lines, String line) {
        return lines.stream().filter(line::equals).count();
    }
}
