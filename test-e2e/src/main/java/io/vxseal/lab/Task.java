package io.vxseal.lab;

import java.time.Duration;
import java.util.regex.Pattern;

/** A running task of a service: a container on one of the hosts, with its address on a network. */
public record Task(Guest guest, String container, String address) {

    private static final Pattern SUMMARY = Pattern.compile("(\\d+) packets transmitted, (\\d+) packets received");

    /** What a row of pings came to. */
    public record Pings(int sent, int received) {

        public boolean allBack() {
            return sent > 0 && sent == received;
        }

        public Pings and(Pings other) {
            return new Pings(sent + other.sent, received + other.received);
        }
    }

    /** Pings another task, five times a second, waiting up to two seconds for the last answer. */
    public Pings ping(Task other, int count) {
        Outcome outcome = exec("ping -i 0.2 -W 2 -c %d %s".formatted(count, other.address), Duration.ofSeconds(60 + count));
        var summary = SUMMARY.matcher(outcome.out());
        if (!summary.find()) {
            throw new LabException("no ping from " + this + " to " + other + ": " + outcome.out() + outcome.err());
        }
        return new Pings(Integer.parseInt(summary.group(1)), Integer.parseInt(summary.group(2)));
    }

    /** The MTU of the task's link on the network. */
    public int mtu() {
        String script = "cat /sys/class/net/$(ip -o -4 addr | grep -F ' " + address + "/' | { read -r n link rest; echo $link; })/mtu";
        return Integer.parseInt(exec("sh -c \"" + script.replace("$", "\\$") + "\"", Duration.ofSeconds(60)).require().strip());
    }

    /** Runs a command in the task's container. */
    public Outcome exec(String command, Duration limit) {
        return guest.run("docker exec " + container + " " + command, limit);
    }

    @Override
    public String toString() {
        return "%s's %.12s (%s)".formatted(guest.name(), container, address);
    }
}
