package io.vxseal.check;

import io.vxseal.kernel.libc.Errno;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.packet.EchoFrame;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * A check whether packets as large as a network promises pass to the containers of other nodes. Where a router drops them and nothing says so
 * (RFC 2923, 2.1), the kernel does not know. All ways through a VXLAN device are tried at once, by one socket.
 *
 * @param pins folder in which the networks' namespaces are mounted
 * @param patience time to wait for a reply
 * @param again time after which what was lost is tried again, to another container if there is one: loss for a moment is no small MTU
 * @param sending takes the way of each request, before it is sent
 * @param failed takes what keeps the requests of one network from being sent here
 */
public record PathMtuCheck(Path pins, Duration patience, Duration again, Consumer<Way> sending, Consumer<IOException> failed) {
    /** Requests of each size to a container that answers small ones and did not answer the first large one. */
    private static final int ATTEMPTS = 4;

    /** Small ones that have to be answered while no large one is. */
    private static final int LEAST_SMALL = ATTEMPTS - 1;

    /** Time in which the trials of a network may begin: they take a second where containers do not answer, and six where large packets are lost. */
    private static final Duration LIMIT = Duration.ofSeconds(10);

    /** Requests that are sent before replies are read: a socket holds about a hundred. */
    private static final int BURST = 16;

    /** What happened to packets as large as the network promises. */
    public enum Outcome {
        /** One was answered. */
        PASS,
        /** None was answered, while smaller ones were. */
        LOST,
        /** Nothing was answered, or little. */
        UNANSWERED
    }

    /**
     * What was found on a way.
     *
     * @param mtu octets of the largest packet that the network promises
     * @param answering containers there that answered anything
     * @param unanswered containers that were asked and did not
     */
    public record Result(
            Way way, int mtu, Outcome outcome, Collection<Way.Endpoint> answering, Collection<Way.Endpoint> unanswered) {}

    private record Device(String network, int vni) {}

    /** A way under trial, to one of its containers there. Requests with even numbers are small, those with odd ones large. */
    private static final class Trial {
        final Way way;
        final int container;
        final EchoFrame echo;
        int small;
        boolean large;
        /** Whether this host's kernel refused a large one. */
        boolean refused;

        Trial(Way way, int container, WaySocket socket) {
            this.way = way;
            this.container = container % way.there().size();
            echo = socket.echo(way.here(), way.there().get(this.container));
        }

        boolean take(ByteBuffer reply) {
            OptionalInt number = echo.sequence(reply);
            if (number.isEmpty()) {
                return false;
            }
            if (number.getAsInt() % 2 == 0) {
                small++;
            } else {
                large = true;
            }
            return true;
        }

        Way.Endpoint container() {
            return way.there().get(container);
        }

        boolean isAnswered() {
            return large || small > 0;
        }

        Outcome outcome() {
            if (large) {
                return Outcome.PASS;
            }
            return !refused && small >= LEAST_SMALL ? Outcome.LOST : Outcome.UNANSWERED;
        }
    }

    /**
     * Returns the outcomes of the ways that were tried: all but those whose network is going away or whose requests cannot be sent here, and
     * those that had to wait for too long.
     */
    public List<Result> run(Collection<Way> ways) throws InterruptedException {
        Map<Device, List<Way>> byDevice = new LinkedHashMap<>();
        ways.forEach(way -> byDevice.computeIfAbsent(new Device(way.network(), way.vni()), _ -> new ArrayList<>()).add(way));
        List<Result> results = new ArrayList<>();
        long end = System.nanoTime() + LIMIT.toNanos();
        for (List<Way> each : byDevice.values()) {
            if (System.nanoTime() - end < 0) {
                try {
                    results.addAll(runOnDevice(each));
                } catch (IOException failure) {
                    failed.accept(failure);
                }
            }
        }
        return results;
    }

    private List<Result> runOnDevice(List<Way> ways) throws IOException, InterruptedException {
        Path pin = pins.resolve(ways.getFirst().network());
        try {
            Optional<Namespace> opened = Namespace.open(pin);
            if (opened.isEmpty()) {
                return List.of();
            }
            try (Namespace namespace = opened.get()) {
                Optional<WaySocket> socket = WaySocket.open(namespace, ways.getFirst());
                if (socket.isEmpty()) {
                    return List.of();
                }
                try (WaySocket bound = socket.get()) {
                    return run(ways, bound);
                }
            }
        } catch (KernelException failure) {
            if (failure.errno() == Errno.ENODEV || Namespace.open(pin).isEmpty()) {
                // The network was deleted meanwhile.
                return List.of();
            }
            throw failure;
        }
    }

    private List<Result> run(List<Way> ways, WaySocket socket) throws InterruptedException {
        List<Trial> trials = ways.stream()
                .map(way -> new Trial(way, ThreadLocalRandom.current().nextInt(way.there().size()), socket)).toList();
        tryAll(trials, socket);
        List<Trial> all = new ArrayList<>(trials);
        // A container may ignore pings, or have ended.
        List<Trial> others = trials.stream().filter(trial -> !trial.isAnswered() && trial.way.there().size() > 1)
                .map(trial -> new Trial(trial.way, trial.container + 1, socket)).toList();
        tryAll(others, socket);
        all.addAll(others);
        Map<Way, Trial> last = new LinkedHashMap<>();
        all.forEach(trial -> last.put(trial.way, trial));
        List<Trial> losing = last.values().stream().filter(trial -> trial.outcome() == Outcome.LOST).toList();
        if (!losing.isEmpty()) {
            Thread.sleep(again);
            confirm(losing, socket).forEach(trial -> {
                all.add(trial);
                last.put(trial.way, trial);
            });
        }
        return last.values().stream().map(trial -> new Result(trial.way, socket.mtu(), trial.outcome(),
                containers(all, trial.way, true), containers(all, trial.way, false))).toList();
    }

    /** Tries ways again, each to another container than before if there is one, and then to the same if the other one answers nothing. */
    private List<Trial> confirm(List<Trial> losing, WaySocket socket) {
        List<Trial> others = losing.stream().map(trial -> new Trial(trial.way, trial.container + 1, socket)).toList();
        tryAll(others, socket);
        List<Trial> same = IntStream.range(0, losing.size())
                .filter(n -> !others.get(n).isAnswered() && others.get(n).container != losing.get(n).container)
                .mapToObj(n -> new Trial(losing.get(n).way, losing.get(n).container, socket)).toList();
        tryAll(same, socket);
        return Stream.concat(others.stream(), same.stream()).toList();
    }

    /** Returns the containers of a way that answered or that did not. */
    private static Collection<Way.Endpoint> containers(List<Trial> trials, Way way, boolean answered) {
        return trials.stream().filter(trial -> trial.way.equals(way) && trial.isAnswered() == answered).map(Trial::container).toList();
    }

    private void tryAll(List<Trial> trials, WaySocket socket) {
        Round first = new Round(trials, socket);
        trials.forEach(trial -> first.sendLarge(trial, 1));
        first.collect(patience);
        for (int attempt = 1; attempt <= ATTEMPTS; attempt++) {
            int number = 2 * attempt;
            // Nothing more to a container that has answered nothing: the kernel counts it as traffic without answers.
            List<Trial> open = trials.stream().filter(trial -> !trial.large && (number == 2 || trial.small > 0)).toList();
            Round round = new Round(open, socket);
            for (Trial trial : open) {
                round.sendSmall(trial, number);
                round.sendLarge(trial, number + 1);
            }
            round.collect(patience);
        }
    }

    /** Requests to several containers, and their replies. */
    private final class Round {
        private final List<Trial> trials;
        private final WaySocket socket;
        private int sent;
        private int replies;

        Round(List<Trial> trials, WaySocket socket) {
            this.trials = trials;
            this.socket = socket;
        }

        void sendSmall(Trial trial, int number) {
            send(trial, number, WaySocket.SMALL);
        }

        void sendLarge(Trial trial, int number) {
            trial.refused |= !send(trial, number, socket.mtu());
        }

        private boolean send(Trial trial, int number, int octets) {
            sending.accept(trial.way);
            boolean taken = socket.send(trial.echo.request(number, octets));
            sent++;
            if (sent % BURST == 0) {
                collect(Duration.ZERO);
            }
            return taken;
        }

        /** Takes replies until there are as many as requests, or none has come for so long. */
        void collect(Duration patience) {
            long end = System.nanoTime() + patience.toNanos();
            Duration left = patience;
            while (replies < sent) {
                Optional<ByteBuffer> reply = socket.receive(left);
                if (reply.isPresent() && trials.stream().anyMatch(trial -> trial.take(reply.get()))) {
                    replies++;
                }
                left = Duration.ofNanos(Math.max(0, end - System.nanoTime()));
                if (reply.isEmpty() && left.isZero()) {
                    return;
                }
            }
        }
    }
}
