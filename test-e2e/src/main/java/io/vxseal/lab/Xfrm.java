package io.vxseal.lab;

import java.util.List;
import java.util.regex.Pattern;

/** The security associations and policies of a host's kernel, as {@code ip xfrm} lists them. */
public record Xfrm(List<State> states, List<Policy> policies) {

    private static final Pattern STATE =
            Pattern.compile("(?m)^src (\\S+) dst (\\S+)\\s+proto esp spi 0x([0-9a-f]{8}) reqid (\\d+)");
    private static final Pattern POLICY = Pattern.compile("(?m)^src .*(?:\\R\\s+.*)*");

    /** An ESP state; the SPI as eight hex digits. */
    public record State(String source, String destination, String spi, long reqid) {}

    /** A policy as {@code ip xfrm policy} prints it, on one line. */
    public record Policy(String text) {}

    public static Xfrm of(Guest guest) {
        return new Xfrm(
                STATE.matcher(guest.sh("ip xfrm state list nokeys")).results().map(match -> new State(
                        match.group(1), match.group(2), match.group(3), Long.parseLong(match.group(4)))).toList(),
                POLICY.matcher(guest.sh("ip xfrm policy")).results().map(match -> new Policy(
                        match.group().strip().replaceAll("\\s+", " "))).toList());
    }

    /** Returns a counter of /proc/net/xfrm_stat; its name says why packets were dropped. */
    public static long count(Guest guest, String counter) {
        return Long.parseLong(guest.sh("awk '$1 == \"" + counter + "\" { print $2 }' /proc/net/xfrm_stat"));
    }

    public List<State> states(Guest from, Guest to) {
        return states.stream().filter(state ->
                state.source.equals(from.address()) && state.destination.equals(to.address())).toList();
    }

    public List<Policy> policies(Guest from, Guest to) {
        String selector = "src %s/32 dst %s/32 ".formatted(from.address(), to.address());
        return policies.stream().filter(policy -> policy.text.startsWith(selector)).toList();
    }
}
