package io.vxseal.lab;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/** Clients of a stack's service that ask it steadily, each on another host. */
public final class Load {
    private static final Duration COMMAND = Duration.ofSeconds(90);
    private static final Duration LONGEST = Duration.ofMinutes(15);
    /** The file that ends the clients. */
    private static final String STOP = "/stop";

    /** The client of each program. */
    private final List<Task> clients;
    private final List<Guest.Spawned> programs;

    private Load(List<Task> clients, List<Guest.Spawned> programs) {
        this.clients = clients;
        this.programs = programs;
    }

    /**
     * A question without an answer.
     *
     * @param guest the client's host
     * @param at its uptime at which it was asked, in seconds
     * @param until its uptime at which the client gave up
     * @param reason begins with {@code new} or {@code kept}, the kind of the connection
     */
    public record Failure(Guest guest, double at, double until, String reason) {

        public boolean isOfNewConnection() {
            return reason.startsWith("new");
        }

        public boolean isOfKeptConnection() {
            return !isOfNewConnection();
        }
    }

    /** What became of the questions. */
    public record Result(long answeredByNew, long answeredByKept, List<Failure> failures) {

        public long asked() {
            return answeredByNew + answeredByKept + failures.size();
        }

        /** Returns the seconds from when the first of these failures was asked until the last one was given up; 0 if there is none. */
        public double window(Predicate<Failure> which) {
            List<Failure> those = failures.stream().filter(which).toList();
            return those.stream().mapToDouble(Failure::until).max().orElse(0) - those.stream().mapToDouble(Failure::at).min().orElse(0);
        }

        @Override
        public String toString() {
            return "%d answered on new connections, %d on kept ones, %d failed%s".formatted(answeredByNew, answeredByKept, failures.size(),
                    failures.stream().map(Failure::reason).distinct().limit(5).toList());
        }
    }

    /** Starts to ask a service on a port; each client asks at least so often, by turns on new connections and on a kept one. */
    public static Load start(List<Task> clients, String service, int port, int count) {
        return start(clients, service, port, count, List.of(""));
    }

    /** Starts two programs in each client, one with new connections and one with a kept one, so that neither waits for the other. */
    public static Load startApart(List<Task> clients, String service, int port, int count) {
        return start(clients, service, port, count, List.of("new", "kept"));
    }

    private static Load start(List<Task> clients, String service, int port, int count, List<String> ways) {
        Together.each(clients, client -> client.exec("rm -f " + STOP, COMMAND).require());
        List<Task> askers = new ArrayList<>();
        List<Guest.Spawned> programs = new ArrayList<>();
        for (Task client : clients) {
            for (String way : ways) {
                askers.add(client);
                programs.add(client.guest().spawn("docker exec %s perl /load %s %d %d %s %s"
                        .formatted(client.container(), service, port, count, STOP, way), LONGEST));
            }
        }
        return new Load(List.copyOf(askers), List.copyOf(programs));
    }

    /** Ends the questions, once there were enough. */
    public Result stop() {
        Together.each(clients, client -> client.exec("touch " + STOP, COMMAND).require());
        long answeredByNew = 0;
        long answeredByKept = 0;
        List<Failure> failures = new ArrayList<>();
        for (int n = 0; n < programs.size(); n++) {
            for (String line : programs.get(n).await().require().lines().toList()) {
                String[] words = line.split(" ", 4);
                if (words[0].equals("failed")) {
                    failures.add(new Failure(
                            clients.get(n).guest(), Double.parseDouble(words[1]), Double.parseDouble(words[2]), words[3]));
                } else if (words[1].equals("new")) {
                    answeredByNew += Long.parseLong(words[2]);
                } else {
                    answeredByKept += Long.parseLong(words[2]);
                }
            }
        }
        return new Result(answeredByNew, answeredByKept, failures);
    }
}
