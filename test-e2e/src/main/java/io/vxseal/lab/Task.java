package io.vxseal.lab;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * A running task of a service: a container on one of the hosts, with its address on a network.
 *
 * @param process the number of its first process on the host
 */
public record Task(Guest guest, String container, int process, String address) {
    private static final String DROP_UNASKED = "add table inet lab; add chain inet lab in { type filter hook prerouting priority 0; };"
            + " add rule inet lab in icmp type echo-reply ct state invalid drop";


    /** The summary of iputils' ping. */
    private static final Pattern SUMMARY =
            Pattern.compile("(\\d+) packets transmitted, (\\d+) (?:packets )?received(?:, \\+(\\d+) duplicates)?");

    /** Bytes of the headers before a ping's data. */
    private static final int IP_AND_ICMP = 20 + 8;

    /** The result of a series of pings; duplicates are answers beyond the first. */
    public record Pings(int sent, int received, int duplicates) {

        public static final Pings NONE = new Pings(0, 0, 0);

        private static Pings of(Outcome outcome) {
            var summary = SUMMARY.matcher(outcome.out());
            if (!summary.find()) {
                throw new LabException("no ping: " + outcome.command() + ": " + outcome.out() + outcome.err());
            }
            return new Pings(Integer.parseInt(summary.group(1)), Integer.parseInt(summary.group(2)),
                    summary.group(3) == null ? 0 : Integer.parseInt(summary.group(3)));
        }

        public boolean allBack() {
            return sent > 0 && sent == received;
        }

        public Pings and(Pings other) {
            return new Pings(sent + other.sent, received + other.received, duplicates + other.duplicates);
        }
    }

    /** Pings another task five times a second, and waits up to two seconds for the last answer. */
    public Pings ping(Task other, int count) {
        return Pings.of(guest.run("%s ping -q -n -i 0.2 -W 2 -c %d %s".formatted(inside(), count, other.address),
                Duration.ofSeconds(60 + count)));
    }

    /** Sends a UDP datagram to another task. */
    public void send(Task other, int port) {
        send(other, port, 1);
    }

    /** Sends UDP datagrams to another task, each from another port. */
    public void send(Task other, int port, int count) {
        guest.sh("%s bash -c 'for ((n = 0; n < %d; n++)); do echo > /dev/udp/%s/%d; done'".formatted(inside(), count, other.address, port));
    }

    /** Sends datagrams to another task, one every half second, in the background. That one neither answers nor refuses them. */
    public Guest.Spawned sendUnanswered(Task other, int port, Duration time) {
        other.guest.sh("%s nft 'add table inet unanswered; add chain inet unanswered in { type filter hook prerouting priority 0; };"
                .formatted(other.inside()) + " add rule inet unanswered in udp dport %d drop'".formatted(port));
        return guest.spawn("%s bash -c 'end=$((SECONDS + %d)); while [ $SECONDS -lt $end ]; do echo > /dev/udp/%s/%d; sleep 0.5; done'"
                .formatted(inside(), time.toSeconds(), other.address, port), time.plusSeconds(60));
    }

    /** Kills and removes its container, which belongs to no service. */
    public void remove() {
        guest.run("docker rm -f " + container, Duration.ofSeconds(60)).require();
    }

    /** Waits until another task answers: a task may run before the other host knows it. */
    public void awaitAnswer(Task other) {
        Await.until("the first answer from " + other + " to " + this, Duration.ofSeconds(60), () -> ping(other, 1).allBack());
    }

    /** Pings with IPv4 packets of that many bytes, which must not be fragmented. */
    public Pings pingWhole(Task other, int octets) {
        return Pings.of(guest.run("%s ping -q -c 3 -i 0.2 -W 2 -M do -s %d %s".formatted(inside(), octets - IP_AND_ICMP, other.address),
                Duration.ofSeconds(60)));
    }

    /**
     * Pings under way. Gaps of a second and more in the answers are printed at the end, by the clock of the pinging host.
     *
     * @param way whose pings to whom
     */
    public record Flood(String way, Guest.Spawned pings) implements AutoCloseable {

        /** A line of iputils' ping before it sends the next one. */
        private static final Pattern UNANSWERED = Pattern.compile("\\[([\\d.]+)] no answer yet for icmp_seq=\\d+");

        /** Pings between which more time passes belong to two gaps. */
        private static final double APART = 0.5;

        /** Waits for the last answer. */
        public Pings await() {
            Outcome outcome = pings.await();
            printGaps(UNANSWERED.matcher(outcome.out()).results().map(line -> Double.valueOf(line.group(1))).toList());
            return Pings.of(outcome);
        }

        private void printGaps(List<Double> unanswered) {
            int begin = 0;
            for (int n = 1; n <= unanswered.size(); n++) {
                if (n == unanswered.size() || Math.abs(unanswered.get(n) - unanswered.get(n - 1)) > APART) {
                    double from = unanswered.get(begin);
                    double seconds = unanswered.get(n - 1) - from;
                    if (seconds >= 1) {
                        System.out.printf("%s: late or no answers from %s for %.1f s%n", way, Instant.ofEpochMilli(Math.round(from * 1000)), seconds);
                    }
                    begin = n;
                }
            }
        }

        public boolean isRunning() {
            return pings.isRunning();
        }

        /** Ends them early. */
        public Pings stop() {
            pings.interrupt();
            return await();
        }

        @Override
        public void close() {
            if (isRunning()) {
                stop();
            }
        }
    }

    /** Starts to ping another task at a steady rate in the background, whether answers come or not. */
    public Flood flood(Task other, int perSecond, int count) {
        String pause = "%.4f".formatted(1.0 / perSecond);
        return new Flood(this + " to " + other, guest.spawn("%s ping -q -n -D -O -i %s -W 2 -c %d %s".formatted(inside(), pause, count, other.address),
                Duration.ofSeconds(60 + 2L * count / perSecond)));
    }

    /** Pings in progress whose answers have times. Reading them costs the host little, unlike {@link #ping}. */
    public record Watch(Guest guest, Guest.Spawned pings, String file) {

        /** Returns when the first answer came, by the clock of the pinging host; see {@link Guest#clock}. */
        public Optional<Double> first() {
            String line = guest.sh("grep -m 1 ' bytes from ' %s || true".formatted(file));
            return line.isEmpty() ? Optional.empty() : Optional.of(Double.valueOf(line.substring(1, line.indexOf(']'))));
        }

        public void stop() {
            pings.interrupt();
        }
    }

    /** Starts to ping another task five times a second and to record the time of each answer, until it is stopped. */
    public Watch watch(Task other) {
        String file = "/run/watch-" + other.address;
        guest.sh("> " + file);
        return new Watch(guest, guest.spawn("%s stdbuf -oL ping -n -D -i 0.2 %s > %s".formatted(inside(), other.address, file),
                Duration.ofMinutes(10)), file);
    }

    /** Counts the incoming packets of the task that match a filter, in tcpdump's language, until it is closed. */
    public Listener listen(String filter) {
        return new Listener(this, filter);
    }

    /**
     * Returns how many IPv4 packets ever arrived in the network namespace of a task that sends nothing. The kernel counts from the
     * creation of the namespace on, whether a socket listens or not.
     *
     * <p>Not counted are those on the loopback device, which are questions of the plugin to the engine's name server and the answers,
     * nor ICMP's errors about questions that the engine passed on from there to name servers that nobody reaches.
     */
    public long packetsReceived() {
        return Long.parseLong(guest.sh(inside() + " sh -c '" + """
                loopback() { awk "/^ *lo:/ { print \\$3 }" /proc/net/dev; }
                until [ "$before" = "$(loopback)" ]; do
                  before=$(loopback)
                  counts=$(awk "/^Ip: [0-9]/ { ip = \\$4 } /^Icmp: [0-9]/ { icmp = \\$2 - \\$16 } END { print ip - icmp }" /proc/net/snmp)
                done
                echo $((counts - before))'""").strip());
    }

    /**
     * Returns all echo requests that ever left the task's network namespace, and all answers. Pings that are stopped do
     * not wait for the last answers; the kernel counts those too. From the first call on it does not count answers to what the plugin asks in
     * the task's name (path_mtu), which are dropped before: nobody there asked.
     */
    public Pings echoes() {
        guest.sh("%1$s nft list table inet lab > /dev/null 2>&1 || %1$s nft '%2$s'".formatted(inside(), DROP_UNASKED));
        String[] counts = guest.sh(inside() + " awk '/^Icmp:/ { if (!seen++) split($0, name); else for (n = 1; n <= NF; n++)"
                + " count[name[n]] = $n } END { print count[\"OutEchos\"], count[\"InEchoReps\"] }' /proc/net/snmp").split(" ");
        return new Pings(Integer.parseInt(counts[0]), Integer.parseInt(counts[1].strip()), 0);
    }

    /** Returns the echoes of several tasks, added up. */
    public static Pings echoes(List<Task> tasks) {
        return tasks.stream().map(Task::echoes).reduce(Pings.NONE, Pings::and);
    }

    /** Returns the prefix that runs a command of the guest in the task's network namespace. */
    String inside() {
        return "nsenter -n -t " + process;
    }

    /** Returns the MTU of the task's link on the network. */
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
