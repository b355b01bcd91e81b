package io.vxseal.check;

import io.vxseal.check.PathCheck.Way;
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

/**
 * A check whether packets as large as a network promises pass to the containers of other nodes. Where a router drops them and nothing says so
 * (RFC 2923, 2.1), the kernel does not know. All ways of a network are tried at once, by one socket.
 *
 * @param pins folder in which the networks' namespaces are mounted
 * @param patience time to wait for a reply
 */
public record PathMtuCheck(Path pins, Duration patience) {
    /** Requests of each size to a container that has not answered the first large one. */
    private static final int ATTEMPTS = 4;

    /** Small ones that have to be answered while no large one is: one alone may have been before the fault. */
    private static final int LEAST_SMALL = 2;

    /** What happened to packets as large as the network promises. */
    public enum Outcome {
        /** One was answered. */
        PASS,
        /** None was answered, while smaller ones were. */
        LOST,
        /** Nothing was answered. */
        UNANSWERED
    }

    /**
     * What was found on a way.
     *
     * @param mtu octets of the largest packet that the network promises
     */
    public record Result(Way way, int mtu, Outcome outcome) {}

    private record Device(String network, int vni) {}

    /** A way under trial, to one of its containers there. Requests with even numbers are small, those with odd ones large. */
    private static final class Trial {
        final Way way;
        final EchoFrame echo;
        int small;
        boolean large;

        Trial(Way way, WaySocket socket) {
            this.way = way;
            echo = socket.echo(way.here(), way.there().get(ThreadLocalRandom.current().nextInt(way.there().size())));
        }

        boolean take(ByteBuffer reply) {
            OptionalInt sequence = echo.sequence(reply);
            if (sequence.isEmpty()) {
                return false;
            }
            if (sequence.getAsInt() % 2 == 0) {
                small++;
            } else {
                large = true;
            }
            return true;
        }

        Result result(int mtu) {
            return new Result(way, mtu, large ? Outcome.PASS : small >= LEAST_SMALL ? Outcome.LOST : Outcome.UNANSWERED);
        }
    }

    /** Returns the outcome of each way, but of those whose network is going away. */
    public List<Result> run(Collection<Way> ways) {
        Map<Device, List<Way>> byDevice = new LinkedHashMap<>();
        ways.forEach(way -> byDevice.computeIfAbsent(new Device(way.network(), way.vni()), _ -> new ArrayList<>()).add(way));
        List<Result> results = new ArrayList<>();
        for (List<Way> each : byDevice.values()) {
            try {
                results.addAll(runOnDevice(each));
            } catch (IOException goingAway) {
                // The repairs tell what is wrong with a network that stays.
            }
        }
        return results;
    }

    private List<Result> runOnDevice(List<Way> ways) throws IOException {
        Optional<Namespace> opened = Namespace.open(pins.resolve(ways.getFirst().network()));
        if (opened.isEmpty()) {
            return List.of();
        }
        try (Namespace namespace = opened.get()) {
            Optional<WaySocket> socket = WaySocket.open(namespace, ways.getFirst());
            if (socket.isEmpty()) {
                return List.of();
            }
            try (WaySocket bound = socket.get()) {
                List<Trial> trials = ways.stream().map(way -> new Trial(way, bound)).toList();
                tryAll(trials, bound);
                return trials.stream().map(trial -> trial.result(bound.mtu())).toList();
            }
        }
    }

    private void tryAll(List<Trial> trials, WaySocket socket) {
        int sequence = 1;
        trials.forEach(trial -> socket.send(trial.echo.request(1, socket.mtu())));
        collect(trials, trials.size(), socket);
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            List<Trial> left = trials.stream().filter(trial -> !trial.large).toList();
            for (Trial trial : left) {
                socket.send(trial.echo.request(sequence + 1, PathCheck.SMALL));
                socket.send(trial.echo.request(sequence + 2, socket.mtu()));
            }
            sequence += 2;
            collect(left, 2 * left.size(), socket);
        }
    }

    /** Takes replies until there are as many as requests, or none comes any more. */
    private void collect(List<Trial> trials, int requests, WaySocket socket) {
        int replies = 0;
        long end = System.nanoTime() + patience.toNanos();
        for (long left = patience.toNanos(); left > 0 && replies < requests; left = end - System.nanoTime()) {
            Optional<ByteBuffer> reply = socket.receive(Duration.ofNanos(left));
            if (reply.isPresent() && trials.stream().anyMatch(trial -> trial.take(reply.get()))) {
                replies++;
            }
        }
    }
}
