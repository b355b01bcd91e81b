package io.vxseal.lab;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** Clients of a stack's service that ask it steadily, each on another host. */
public final class Load {
    private static final Duration COMMAND = Duration.ofSeconds(90);
    private static final Duration LONGEST = Duration.ofMinutes(15);
    /** The file that ends the clients. */
    private static final String STOP = "/stop";

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
     * @param reason begins with {@code new} or {@code kept}, the kind of the connection
     */
    public record Failure(Guest guest, double at, String reason) {

        public boolean isOfNewConnection() {
            return reason.startsWith("new");
        }
    }

    /** What became of the questions. */
    public record Result(long answeredByNew, long answeredByKept, List<Failure> failures) {

        public long asked() {
            return answeredByNew + answeredByKept + failures.size();
        }

        @Override
        public String toString() {
            return "%d answered on new connections, %d on kept ones, %d failed%s".formatted(answeredByNew, answeredByKept, failures.size(),
                    failures.stream().map(Failure::reason).distinct().limit(5).toList());
        }
    }

    /** Starts to ask a service on a port; each client asks at least so often. */
    public static Load start(List<Task> clients, String service, int port, int count) {
        Together.each(clients, client -> client.exec("rm -f " + STOP, COMMAND).require());
        return new Load(clients, clients.stream().map(client -> client.guest().spawn(
                "docker exec %s perl /load %s %d %d %s".formatted(client.container(), service, port, count, STOP), LONGEST)).toList());
    }

    /** Ends the questions, once there were enough. */
    public Result stop() {
        Together.each(clients, client -> client.exec("touch " + STOP, COMMAND).require());
        long answeredByNew = 0;
        long answeredByKept = 0;
        List<Failure> failures = new ArrayList<>();
        for (int n = 0; n < programs.size(); n++) {
            for (String line : programs.get(n).await().require().lines().toList()) {
                String[] words = line.split(" ", 3);
                if (words[0].equals("failed")) {
                    failures.add(new Failure(clients.get(n).guest(), Double.parseDouble(words[1]), words[2]));
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
