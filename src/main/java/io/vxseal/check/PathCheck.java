package io.vxseal.check;

import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.packet.EchoFrame;
import io.vxseal.kernel.route.Link;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * Checks of the paths to other nodes, with what the networks really send: echo requests (ICMP) go out of a network's VXLAN device as if
 * a container here had sent them, and the kernel of a container there answers. So a reply has passed encapsulation, encryption, the
 * underlying network and the barriers in both directions. The container here ignores the replies, which it did not ask for.
 *
 * @param pins folder in which the networks' namespaces are mounted
 * @param port UDP port of VXLAN
 * @param underlay what this host knows of the network underneath
 * @param patience time to wait for a reply
 * @param limit time in which the check of a way may begin; one without answers takes some seconds
 */
public record PathCheck(Path pins, int port, Underlay underlay, Duration patience, Duration limit) {
    private static final String CHECK = "path";
    private static final String OFFLOAD = "offload";

    /** Containers that are asked: one may be ignoring echo requests. */
    private static final int MOST_ASKED = 3;

    private static final int ATTEMPTS = 2;

    /** Ways that are checked at once: the time goes by in waiting for replies that do not come. */
    private static final int AT_ONCE = 8;

    private static final Duration LIMIT = Duration.ofMinutes(1);

    /** Creates checks of which all begin within a minute. */
    public PathCheck(Path pins, int port, Underlay underlay, Duration patience) {
        this(pins, port, underlay, patience, LIMIT);
    }

    /**
     * What was found on a way.
     *
     * @param findings none if there was no time to try the way
     */
    public record Outcome(Way way, List<Finding> findings) {}

    /** Returns findings for each way that was tried, and one that counts the others. */
    public List<Finding> run(List<Way> ways) {
        List<Outcome> outcomes = outcomes(ways);
        List<Finding> findings = new ArrayList<>(outcomes.stream().flatMap(outcome -> outcome.findings.stream()).toList());
        long untried = outcomes.stream().filter(outcome -> outcome.findings.isEmpty()).count();
        if (untried > 0) {
            findings.add(Finding.untried(CHECK, "%d more ways to other nodes were not tried within %d s".formatted(
                    untried, limit.toSeconds()), "mend the ways above, then vxseal check"));
        }
        return findings;
    }

    /** Returns the outcome of each way, in their order. */
    public List<Outcome> outcomes(List<Way> ways) {
        long end = System.nanoTime() + limit.toNanos();
        // Platform threads, because they wait in the kernel.
        try (ExecutorService threads = Executors.newFixedThreadPool(
                AT_ONCE, Thread.ofPlatform().daemon().name("vxseal-path-", 0).factory())) {
            List<CompletableFuture<Outcome>> pending = ways.stream()
                    .map(way -> CompletableFuture.supplyAsync(() -> outcome(way, end), threads)).toList();
            return pending.stream().map(CompletableFuture::join).toList();
        }
    }

    private Outcome outcome(Way way, long end) {
        return new Outcome(way, System.nanoTime() - end >= 0 ? List.of() : check(way));
    }

    private List<Finding> check(Way way) {
        try {
            Optional<Namespace> opened = Namespace.open(pins.resolve(way.network()));
            if (opened.isEmpty()) {
                return List.of(Finding.unfit(CHECK, "network %s has no namespace in %s".formatted(way.network(), pins),
                        "docker plugin disable --force vxseal && docker plugin enable vxseal"));
            }
            try (Namespace namespace = opened.get()) {
                return check(way, namespace);
            }
        } catch (IOException failure) {
            return List.of(Finding.unfit(
                    CHECK, "node %s could not be asked: %s".formatted(way.node(), failure.getMessage()), "vxseal status"));
        }
    }

    private List<Finding> check(Way way, Namespace namespace) throws IOException {
        Optional<Link> device = WaySocket.device(namespace, way);
        if (device.isEmpty()) {
            return List.of(Finding.unfit(
                    CHECK, "the VXLAN device of network %s is down or missing".formatted(way.network()), "vxseal status"));
        }
        List<Way.Endpoint> asked = way.there().subList(0, Math.min(MOST_ASKED, way.there().size()));
        try (WaySocket socket = WaySocket.open(namespace, device.get(), way)) {
            for (Way.Endpoint there : asked) {
                Echo echo = new Echo(socket, socket.echo(way.here(), there), patience);
                if (echo.answers(WaySocket.SMALL, ATTEMPTS)) {
                    OffloadTrial.Outcome offload = tryOffload(namespace, device.get(), way, there);
                    Finding size = judge(way, socket.mtu(), echo, offload);
                    return offload == OffloadTrial.Outcome.WRONG ? List.of(size, wrongChecksums(way)) : List.of(size);
                }
            }
            return List.of(silent(way, asked.size(), opensAnswers(way, socket)));
        }
    }

    /** Returns whether as many packets of the node are opened here as requests are sent to it, none of which is answered. */
    private boolean opensAnswers(Way way, WaySocket socket) throws IOException {
        if (!way.encrypted()) {
            return false;
        }
        InetAddress node = InetAddress.ofLiteral(way.node());
        long before = underlay.opened(node);
        Echo echo = new Echo(socket, socket.echo(way.here(), way.there().getFirst()), patience);
        return !echo.answers(WaySocket.SMALL, ATTEMPTS) && underlay.opened(node) - before >= ATTEMPTS;
    }

    private OffloadTrial.Outcome tryOffload(Namespace namespace, Link device, Way way, Way.Endpoint there) throws IOException {
        try (OffloadTrial trial = OffloadTrial.open(namespace, device, way, there, patience)) {
            return trial.run();
        }
    }

    private Finding silent(Way way, int asked, boolean opensAnswers) {
        String found = "node %s: none of %d containers answers what is sent to it by %s, over network %s".formatted(
                way.node(), asked, protocol(way), way.network());
        String ifAtAll = " (if those containers answer pings at all)";
        if (!way.encrypted()) {
            return Finding.unfit(CHECK, found, "open UDP port %d between the nodes, in both directions; on each: %s%s".formatted(
                    port, OpenPort.udp(port), ifAtAll));
        }
        if (opensAnswers) {
            return Finding.unfit(CHECK,
                    "%s; this host decrypts what comes from that node, and its firewall drops UDP port %d then".formatted(found, port),
                    "on this host: %s%s".formatted(OpenPort.decryptedUdp(port), ifAtAll));
        }
        return Finding.unfit(CHECK, "%s; ESP is blocked in one direction, or node %s drops UDP port %d after decryption".formatted(
                        found, way.node(), port),
                "open ESP between the nodes, in both directions; on each: %s; and on %s: %s%s".formatted(
                        OpenPort.esp(), way.node(), OpenPort.decryptedUdp(port), ifAtAll));
    }

    private static Finding judge(Way way, int mtu, Echo echo, OffloadTrial.Outcome offload) {
        int largest = echo.answers(mtu, ATTEMPTS) ? mtu : echo.largest(WaySocket.SMALL, mtu);
        if (largest == mtu) {
            return Finding.fit(CHECK, "node %s: packets of up to %d octets pass there and back, by %s%s".formatted(way.node(), mtu,
                    protocol(way), offload == OffloadTrial.Outcome.RIGHT ? ", with right checksums" : ""));
        }
        return Finding.unfit(CHECK,
                "node %s: packets of up to %d octets pass, and network %s promises its containers %d".formatted(
                        way.node(), largest, way.network(), mtu),
                "raise the MTU between the nodes by %1$d, or create the network with com.docker.network.driver.mtu lower by %1$d"
                        .formatted(mtu - largest));
    }

    private Finding wrongChecksums(Way way) throws IOException {
        Optional<String> link = underlay.link(InetAddress.ofLiteral(way.node()));
        return Finding.unfit(OFFLOAD,
                ("node %s: what containers send over network %s arrives with wrong checksums and is dropped, pings excepted: %s claims to"
                        + " compute those of packets in VXLAN, and does not").formatted(
                        way.node(), way.network(), link.map("link %s"::formatted).orElse("the link underneath")),
                "ethtool -K %s tx off".formatted(link.orElse("LINK")));
    }

    private static String protocol(Way way) {
        return way.encrypted() ? "ESP (IP protocol 50)" : "UDP on the VXLAN port";
    }

    /** Requests to one container. */
    private static final class Echo {
        private final WaySocket socket;
        private final EchoFrame frame;
        private final Duration patience;
        private int sequence;

        Echo(WaySocket socket, EchoFrame frame, Duration patience) {
            this.socket = socket;
            this.frame = frame;
            this.patience = patience;
        }

        /** Returns whether a request in a packet of so many octets is answered. */
        boolean answers(int octets, int attempts) {
            for (int attempt = 0; attempt < attempts; attempt++) {
                sequence++;
                if (socket.send(frame.request(sequence, octets)) && isAnswered()) {
                    return true;
                }
            }
            return false;
        }

        private boolean isAnswered() {
            long end = System.nanoTime() + patience.toNanos();
            for (long left = patience.toNanos(); left > 0; left = end - System.nanoTime()) {
                Optional<ByteBuffer> received = socket.receive(Duration.ofNanos(left));
                if (received.filter(reply -> frame.isReply(reply, sequence)).isPresent()) {
                    return true;
                }
            }
            return false;
        }

        /** Returns the largest packet that is answered, between one that is and one that is not. */
        int largest(int answered, int unanswered) {
            int low = answered;
            int high = unanswered;
            while (high - low > 1) {
                int middle = (low + high) / 2;
                if (answers(middle, 1)) {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            return low;
        }
    }
}
