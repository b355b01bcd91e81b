package io.vxseal.cluster.link;

import io.vxseal.cluster.refusal.Refusals;
import io.vxseal.swarm.SwarmIdentity;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;

/**
 * Process that plays many nodes: node i dials the hub from address i with the certificate in folder i. Prints "connected
 * MILLISECONDS" when all have a session, and ends with its standard input.
 */
final class ClientProcess {
    private ClientProcess() {}

    /** Takes the hub's port, the folder of the nodes' folders, the first node's number and how many there are. */
    public static void main(String[] args) throws Exception {
        int port = Integer.parseInt(args[0]);
        Path folder = Path.of(args[1]);
        int first = Integer.parseInt(args[2]);
        int count = Integer.parseInt(args[3]);
        LinkThreads threads = new LinkThreads(count + 50);
        List<HubClient> clients = new ArrayList<>();
        for (int i = first; i < first + count; i++) {
            clients.add(new HubClient(InetAddress.ofLiteral("127.0.%d.%d".formatted(i >> 8, i & 0xFF)),
                    SwarmIdentity.read(folder.resolve("s1-node-" + i)), threads, LinkTimes.DEFAULT, new Recorder(),
                    new Refusals()));
        }
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        System.out.println("ready");
        input.readLine();
        long start = System.nanoTime();
        InetSocketAddress hub = new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), port);
        CompletableFuture.allOf(clients.stream()
                .map(client -> dial(client, hub, threads, 0)).toArray(CompletableFuture[]::new)).get();
        System.out.println("connected " + (System.nanoTime() - start) / 1_000_000);
        // The sessions stand until the test ends this process.
        input.readLine();
        System.exit(0);
    }

    private static CompletableFuture<Connection> dial(
            HubClient client, InetSocketAddress hub, LinkThreads threads, int attempt) {
        return client.dial(hub).exceptionallyCompose(failure -> {
            CompletableFuture<Connection> again = new CompletableFuture<>();
            System.err.println("attempt " + attempt + ": " + failure.getMessage());
            threads.scheduler().schedule(() -> {
                CompletableFuture<Void> _ = dial(client, hub, threads, attempt + 1).thenAccept(again::complete);
            },
                    ThreadLocalRandom.current().nextLong(500, 1500), TimeUnit.MILLISECONDS);
            return again;
        });
    }
}
