package io.vxseal.lab;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.function.Predicate;

/** Clients of a stack's service that ask it steadily, each on another host. */
public final class Load {
    private static final Duration COMMAND = Duration.ofSeconds(90);
    private static final Duration BEGIN = Duration.ofMinutes(2);
    private static final Duration LONGEST = Duration.ofMinutes(60);
    /** The folder of the containers in which the programs and this class make files. */
    private static final String FOLDER = "/asked";

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

        /** Returns the uptime at which the last of these failures was given up; 0 if there is none. */
        public double last(Predicate<Failure> which) {
            return failures.stream().filter(which).mapToDouble(Failure::until).max().orElse(0);
        }

        @Override
        public String toString() {
            return "%d answered on new connections, %d on kept ones, %d failed%s".formatted(answeredByNew, answeredByKept, failures.size(),
                    failures.stream().map(Failure::reason).distinct().limit(5).toList());
        }
    }

    /**
     * Starts to ask a service on a port, by turns on new connections and on a kept one, and waits until each client had an answer to both.
     *
     * @param count how often each client asks at least
     * @param pause between two questions on connections of the same kind
     * @param limit for one question
     */
    public static Load start(List<Task> clients, String service, int port, int count, Duration pause, Duration limit) {
        return start(clients, service, port, count, pause, limit, List.of(""));
    }

    /** Starts two programs in each client, one with new connections and one with a kept one, so that neither waits for the other. */
    public static Load startApart(List<Task> clients, String service, int port, int count, Duration pause, Duration limit) {
        return start(clients, service, port, count, pause, limit, List.of("new", "kept"));
    }

    private static Load start(
            List<Task> clients, String service, int port, int count, Duration pause, Duration limit, List<String> ways) {
        Together.each(clients, client -> client.exec("sh -c 'rm -rf %1$s; mkdir %1$s'".formatted(FOLDER), COMMAND).require());
        List<Task> askers = new ArrayList<>();
        List<Guest.Spawned> programs = new ArrayList<>();
        for (Task client : clients) {
            for (String way : ways) {
                askers.add(client);
                programs.add(client.guest().spawn("docker exec %s perl /load %s %d %d %d %d %s %s".formatted(
                        client.container(), service, port, count, pause.toMillis(), limit.toSeconds(), FOLDER, way), LONGEST));
            }
        }
        Load load = new Load(List.copyOf(askers), List.copyOf(programs));
        Await.until("the first answers of " + service, BEGIN, () -> load.allMade("begun"));
        return load;
    }

    /** Returns whether all programs have asked often enough. */
    public boolean isEnough() {
        return allMade("enough");
    }

    private boolean allMade(String file) {
        return new HashSet<>(clients).stream().mapToLong(client -> client.guest()
                .sh("ls /proc/%d/root%s".formatted(client.process(), FOLDER)).lines().filter(line -> line.startsWith(file)).count()).sum() == programs.size();
    }

    /** Ends the questions, once there were enough. */
    public Result stop() {
        Together.each(clients, client -> client.exec("touch %s/stop".formatted(FOLDER), COMMAND).require());
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
