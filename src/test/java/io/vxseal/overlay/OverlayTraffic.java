package io.vxseal.overlay;

import io.vxseal.address.MacAddress;
import io.vxseal.kernel.TestHost;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Datagrams in both directions between a container on a node and the wire that the node is on, for as long as this is
 * open. The container sends to an endpoint of another node on each network. From the wire come VXLAN datagrams in clear, with
 * frames for the container.
 *
 * <p>What must not be is counted by sockets: on the wire those of VXLAN's ports, which hear nothing but encrypted networks'
 * datagrams in clear, and in the container one for each network.
 */
final class OverlayTraffic implements AutoCloseable {
    /** UDP ports in containers: where the other node's endpoint listens, and from here on where those of this one do. */
    private static final int FAR = 7000;
    private static final int NEAR = 7001;

    private static final Duration PAUSE = Duration.ofNanos(400_000);
    /** The sender takes a quarter of a processor at most: on an emulated host a round takes milliseconds, and the node needs the rest. */
    private static final int PAUSE_TO_ROUND = 3;
    private static final Duration LONGEST_PAUSE = Duration.ofMillis(20);
    /** So many rounds are more than any sequence takes. */
    private static final int MOST_ROUNDS = 1_000_000;
    /** Of these a plain network's share; the others are those that this is about. */
    private static final int PLAIN_EVERY = 4;

    private static final int VXLAN_FLAGS = 0x08000000;
    private static final short IPV4 = 0x0800;
    private static final byte UDP = 17;
    private static final int PAYLOAD = 16;

    private static final Pattern COUNTER = Pattern.compile("counter (\\w+) \\{\\s+packets (\\d+)");

    /**
     * A network that the container is on.
     *
     * @param here the container's address on it
     * @param there an endpoint's on the other node
     */
    record Line(int vni, boolean encrypted, InetAddress here, InetAddress there) {}

    private final TestHost wire;
    private final List<Line> lines;
    private final List<Integer> ports;
    private final List<InetAddress> targets;
    private final List<DatagramChannel> onWire = new ArrayList<>();
    private final List<DatagramChannel> inContainer = new ArrayList<>();
    private final DatagramChannel fromContainer;
    private final DatagramChannel fromWire;
    private final Thread thread;
    private volatile boolean closed;
    private final Map<String, Integer> clear = new TreeMap<>();

    /**
     * Starts sending.
     *
     * @param wire namespace that the node's uplink ends in
     * @param folder for a file or two
     * @param ports of VXLAN that the node may use
     * @param targets addresses that the node may have
     */
    OverlayTraffic(
            TestHost wire, TestHost container, Path folder, List<Line> lines, List<Integer> ports, List<InetAddress> targets)
            throws Exception {
        this.wire = wire;
        this.lines = lines;
        this.ports = ports;
        this.targets = targets;
        wire.run("nft -f " + Files.writeString(folder.resolve("wire.nft"), counters()));
        for (int port : ports) {
            onWire.add(wire.within(() -> DatagramChannel.open().bind(new InetSocketAddress(port))));
        }
        for (int line = 0; line < lines.size(); line++) {
            int port = NEAR + line;
            inContainer.add(container.within(() -> DatagramChannel.open().bind(new InetSocketAddress(port))));
        }
        for (DatagramChannel channel : onWire) {
            channel.configureBlocking(false);
        }
        for (DatagramChannel channel : inContainer) {
            channel.configureBlocking(false);
        }
        fromContainer = container.within(DatagramChannel::open);
        fromWire = wire.within(DatagramChannel::open);
        thread = Thread.ofPlatform().daemon().name("traffic").start(this::sendBothWays);
    }

    /**
     * Returns the rules that count. They drop plain networks' datagrams, so that the sockets have room for those that must not arrive.
     */
    private String counters() {
        String plain = lines.stream().filter(line -> !line.encrypted()).map(line -> "" + line.vni()).collect(Collectors.joining(", "));
        String sealed = lines.stream().filter(Line::encrypted).map(line -> "" + line.vni()).collect(Collectors.joining(", "));
        return """
                table inet wire {
                    counter plain { }
                    counter clear { }
                    counter sealed { }
                    chain arriving {
                        type filter hook prerouting priority -300;
                        meta l4proto esp counter name sealed drop
                        meta l4proto udp @th,96,24 { %s } counter name plain drop
                        meta l4proto udp @th,96,24 { %s } counter name clear
                    }
                }
                """.formatted(plain, sealed);
    }

    private void sendBothWays() {
        ByteBuffer payload = ByteBuffer.allocateDirect(PAYLOAD);
        List<ByteBuffer> frames = frames();
        for (int round = 0; round < MOST_ROUNDS && !closed; round++) {
            long begin = System.nanoTime();
            send(payload, round % PLAIN_EVERY == 0);
            inject(frames, round);
            long pause = PAUSE_TO_ROUND * (System.nanoTime() - begin);
            LockSupport.parkNanos(Math.clamp(pause, PAUSE.toNanos(), LONGEST_PAUSE.toNanos()));
        }
    }

    private void send(ByteBuffer payload, boolean all) {
        for (Line line : lines) {
            if (all || line.encrypted()) {
                attempt(fromContainer, payload.clear(), new InetSocketAddress(line.there(), FAR));
            }
        }
    }

    /** Rounds go by turns to each address and port. */
    private void inject(List<ByteBuffer> frames, int round) {
        InetSocketAddress target = new InetSocketAddress(
                targets.get(round % targets.size()), ports.get(round / targets.size() % ports.size()));
        for (ByteBuffer frame : frames) {
            attempt(fromWire, frame.rewind(), target);
        }
    }

    private List<ByteBuffer> frames() {
        return IntStream.range(0, lines.size()).mapToObj(this::frame).toList();
    }

    /** Sends some more datagrams, in both directions and to every address and port, whatever the thread is at. */
    void flow() {
        ByteBuffer payload = ByteBuffer.allocateDirect(PAYLOAD);
        List<ByteBuffer> frames = frames();
        for (int round = 0; round < ports.size() * targets.size(); round++) {
            send(payload, true);
            inject(frames, round);
        }
    }

    private static void attempt(DatagramChannel channel, ByteBuffer octets, InetSocketAddress target) {
        try {
            channel.send(octets, target);
        } catch (IOException noWay) {
            // The container has no link just now, or the node drops what is not sealed.
        }
    }

    /** Returns a VXLAN header and a frame with a UDP datagram for the container's socket of that network. */
    private ByteBuffer frame(int number) {
        Line line = lines.get(number);
        ByteBuffer frame = ByteBuffer.allocateDirect(8 + 14 + 20 + 8 + PAYLOAD);
        frame.putInt(VXLAN_FLAGS).putInt(line.vni() << 8);
        frame.put(MacAddress.of(line.here()).octets()).put(MacAddress.of(line.there()).octets()).putShort(IPV4);
        int ip = frame.position();
        frame.put((byte) 0x45).put((byte) 0).putShort((short) (20 + 8 + PAYLOAD)).putInt(0).put((byte) 64).put(UDP).putShort((short) 0);
        frame.put(line.there().getAddress()).put(line.here().getAddress());
        int sum = 0;
        for (int at = ip; at < ip + 20; at += 2) {
            sum += frame.getShort(at) & 0xffff;
        }
        frame.putShort(ip + 10, (short) ~((sum & 0xffff) + (sum >>> 16)));
        frame.putShort((short) FAR).putShort((short) (NEAR + number)).putShort((short) (8 + PAYLOAD)).putShort((short) 0);
        return frame.clear();
    }

    /** Where datagrams of encrypted networks were in clear since this began, with their number; empty if nowhere. */
    Map<String, Integer> clear() throws IOException {
        ByteBuffer datagram = ByteBuffer.allocateDirect(2048);
        for (DatagramChannel channel : onWire) {
            while (channel.receive(datagram.clear()) != null) {
                clear.merge("VNI %d on the wire, port %d".formatted(datagram.getInt(4) >>> 8,
                        ((InetSocketAddress) channel.getLocalAddress()).getPort()), 1, Integer::sum);
            }
        }
        for (Line line : lines) {
            if (line.encrypted()) {
                int delivered = delivered(line);
                if (delivered > 0) {
                    clear.merge("VNI %d injected".formatted(line.vni()), delivered, Integer::sum);
                }
            }
        }
        return clear;
    }

    /** Returns how many injected datagrams of a network reached the container since the last call, up to its socket's capacity. */
    int delivered(Line line) throws IOException {
        ByteBuffer datagram = ByteBuffer.allocateDirect(2048);
        int delivered = 0;
        while (inContainer.get(lines.indexOf(line)).receive(datagram.clear()) != null) {
            delivered++;
        }
        return delivered;
    }

    /** Returns the packets on the wire so far: "plain", "clear" and "sealed". */
    Map<String, Long> onWire() {
        return COUNTER.matcher(wire.run("nft list table inet wire")).results()
                .collect(Collectors.toMap(counter -> counter.group(1), counter -> Long.parseLong(counter.group(2))));
    }

    @Override
    public void close() throws IOException {
        closed = true;
        join(thread);
        fromContainer.close();
        fromWire.close();
        for (DatagramChannel channel : onWire) {
            channel.close();
        }
        for (DatagramChannel channel : inContainer) {
            channel.close();
        }
    }

    /** Waits for a thread that is about to end, whatever happens to this one. */
    static void join(Thread ending) {
        boolean interrupted = false;
        while (ending.isAlive()) {
            try {
                ending.join();
            } catch (InterruptedException stopped) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
