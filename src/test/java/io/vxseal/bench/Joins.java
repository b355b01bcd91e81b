package io.vxseal.bench;

import io.vxseal.plugin.EngineClient;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * The engine of {@code plugin/measure}: starts and stops containers one after the other on a plain network, first alone,
 * then with many other networks up, and prints the times of the plugin's calls. A start is CreateEndpoint and Join, a stop
 * Leave and DeleteEndpoint. Uses one connection, as an engine does.
 */
final class Joins {
    private static final int UNCOUNTED = 100;

    private final EngineClient engine;

    private Joins(EngineClient engine) {
        this.engine = engine;
    }

    /** Times of starts and stops, in milliseconds. */
    private record Times(List<Double> starts, List<Double> stops) {
        Times() {
            this(new ArrayList<>(), new ArrayList<>());
        }

        String say(String after) {
            return "\"p50Millis%1$s\":%2$s,\"p99Millis%1$s\":%3$s,\"leaveP50Millis%1$s\":%4$s,\"leaveP99Millis%1$s\":%5$s"
                    .formatted(after, percentile(starts, 50), percentile(starts, 99), percentile(stops, 50), percentile(stops, 99));
        }
    }

    /** @param words socket, number of networks in the end, number of containers to measure each time */
    static void main(String[] words) throws IOException {
        int networks = Integer.parseInt(words[1]);
        int containers = Integer.parseInt(words[2]);
        System.out.println(new Joins(EngineClient.keepingConnection(Path.of(words[0]))).measure(networks, containers));
    }

    private String measure(int networks, int containers) throws IOException {
        call("GetCapabilities", "{}");
        call("DiscoverNew", "{'DiscoveryType':1,'DiscoveryData':{'Address':'127.0.0.1','BindAddress':'127.0.0.1','Self':true}}");
        create(0);
        double first = start(0, 2);
        double firstStop = stop(0, 2);
        start(0, 2); // stays, and so the network stays up

        run(UNCOUNTED);
        Times one = run(containers);
        List<Double> ups = new ArrayList<>();
        for (int network = 1; network < networks; network++) {
            create(network);
            ups.add(start(network, 2));
        }
        run(UNCOUNTED);
        Times many = run(containers);
        return "\"firstMillis\":%s,\"firstLeaveMillis\":%s,%s,\"networks\":%d,%s,\"newNetworkP50Millis\":%s,\"newNetworkP99Millis\":%s"
                .formatted(print(first), print(firstStop), one.say(""), networks, many.say("WithNetworks"),
                        percentile(ups, 50), percentile(ups, 99));
    }

    /** Starts and stops containers on the first network, each at its own address. */
    private Times run(int containers) throws IOException {
        Times times = new Times();
        for (int i = 0; i < containers; i++) {
            times.starts.add(start(0, 3 + i));
            times.stops.add(stop(0, 3 + i));
        }
        return times;
    }

    private void create(int network) throws IOException {
        call("CreateNetwork", """
                {'NetworkID':'%s','Options':{'com.docker.network.generic':{'com.docker.network.driver.overlay.vxlanid_list':'%d'}},\
                'IPv4Data':[{'Gateway':'10.%d.0.1/16','Pool':'10.%3$d.0.0/16'}]}""".formatted(network(network), 5000 + network, 20 + network));
    }

    private double start(int network, int number) throws IOException {
        return timed(
                "CreateEndpoint", "{'NetworkID':'%s','EndpointID':'%s','Interface':{'Address':'10.%d.%d.%d/16'}}".formatted(
                        network(network), endpoint(network, number), 20 + network, number / 256, number % 256),
                "Join", "{'NetworkID':'%s','EndpointID':'%s','SandboxKey':'/run/docker/netns/measuring'}".formatted(
                        network(network), endpoint(network, number)));
    }

    private double stop(int network, int number) throws IOException {
        String both = "{'NetworkID':'%s','EndpointID':'%s'}".formatted(network(network), endpoint(network, number));
        return timed("Leave", both, "DeleteEndpoint", both);
    }

    private double timed(String method, String body, String next, String nextBody) throws IOException {
        long start = System.nanoTime();
        call(method, body);
        call(next, nextBody);
        return (System.nanoTime() - start) / 1e6;
    }

    // Links are named after an id's first characters.
    private static String network(int number) {
        return "%05xmeasuringnetwork".formatted(number);
    }

    private static String endpoint(int network, int number) {
        return "%03x%04xmeasuringendpoint".formatted(network, number);
    }

    private void call(String method, String body) throws IOException {
        EngineClient.Answer answer = engine.call(method, body);
        if (answer.status() != 200) {
            throw new IOException("%s %s: %d %s".formatted(method, body, answer.status(), answer.text()));
        }
    }

    /** Returns the percentile by the nearest-rank method. */
    private static String percentile(List<Double> values, int percent) {
        List<Double> sorted = values.stream().sorted().toList();
        return print(sorted.get(Math.max(0, (sorted.size() * percent + 99) / 100 - 1)));
    }

    private static String print(double millis) {
        return String.format(Locale.ROOT, "%.2f", millis);
    }
}
