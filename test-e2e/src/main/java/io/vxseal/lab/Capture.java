package io.vxseal.lab;

import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * All packets on the wire from {@link Wire#capture} to {@link #stop}, in a pcap file. A capture that lost packets cannot prove
 * that a packet was not on the wire, so {@link #stop} fails then.
 */
public final class Capture implements AutoCloseable {

    private static final Duration READ = Duration.ofSeconds(60);
    private static final Pattern COUNT = Pattern.compile("(\\d+) packets?$");
    private static final Pattern LOST = Pattern.compile("(\\d+) packets dropped by kernel");
    private static final int PCAP_MAGIC = 0xa1b2c3d4;
    private static final int PCAP_HEADER = 24;
    private static final int PCAP_RECORD_HEADER = 16;
    private static final Pattern SPI = Pattern.compile("ESP\\(spi=0x([0-9a-f]{8}),");

    private final Path file;
    private final Path log;
    private final Process tcpdump;

    private Capture(Path file, Path log, Process tcpdump) {
        this.file = file;
        this.log = log;
        this.tcpdump = tcpdump;
    }

    static Capture start(Path file, Path log) {
        List<String> words = Network.within(List.of("timeout", Machine.LIFE, "tcpdump", "-i", Network.BRIDGE, "-Z", "root",
                "-n", "-U", "--immediate-mode", "-B", "16384", "-s", "0", "-w", file.toString()));
        try {
            Files.createDirectories(file.getParent());
            Process tcpdump = new ProcessBuilder(words).redirectErrorStream(true)
                    .redirectInput(ProcessBuilder.Redirect.from(new File("/dev/null")))
                    .redirectOutput(log.toFile()).start();
            Capture capture = new Capture(file, log, tcpdump);
            Await.until("tcpdump to listen on the wire", Duration.ofSeconds(10), () -> {
                if (!tcpdump.isAlive()) {
                    throw new LabException("tcpdump ended: " + capture.said());
                }
                return capture.said().contains("listening on");
            });
            return capture;
        } catch (IOException e) {
            throw new LabException("cannot run tcpdump: " + e.getMessage(), e);
        }
    }

    public Path file() {
        return file;
    }

    /** Ends the capture. Everything that was on the wire before is in the file. */
    public Capture stop() {
        if (tcpdump.isAlive()) {
            // Frames that the bridge has passed may not have reached tcpdump yet.
            Await.pause(Duration.ofMillis(500));
            close();
            if (!isWhole(said())) {
                throw new LabException("the capture " + file + " is not whole: " + said());
            }
        }
        return this;
    }

    /** Returns whether tcpdump reports at its end that it lost nothing. */
    static boolean isWhole(String said) {
        var lost = LOST.matcher(said);
        return lost.find() && lost.group(1).equals("0");
    }

    /** Returns the number of packets that match a filter, in tcpdump's language. */
    public long count(String filter) {
        String said = Host.run(READ, List.of("tcpdump", "-Z", "root", "-n", "-r", file.toString(), "--count", filter)).require();
        var count = COUNT.matcher(said);
        if (!count.find()) {
            throw new LabException("tcpdump gave no count of " + filter + ": " + said);
        }
        return Long.parseLong(count.group(1));
    }

    /** Returns the SPIs of the ESP packets from one host to another, as eight hex digits. */
    public Set<String> spis(Guest from, Guest to) {
        String filter = "esp and src host %s and dst host %s".formatted(from.address(), to.address());
        return SPI.matcher(show(filter)).results().map(match -> match.group(1)).collect(Collectors.toCollection(TreeSet::new));
    }

    /** Returns the packets that match a filter, one or more lines each. */
    public String show(String filter) {
        return Host.run(READ, List.of("tcpdump", "-Z", "root", "-n", "-r", file.toString(), filter)).require();
    }

    /** Returns the frames that match a filter, complete. */
    public List<byte[]> frames(String filter) {
        Path part = file.resolveSibling(file.getFileName() + ".part");
        Host.run(READ, List.of("tcpdump", "-Z", "root", "-r", file.toString(), "-w", part.toString(), filter)).require();
        try {
            return frames(ByteBuffer.wrap(Files.readAllBytes(part)));
        } catch (IOException e) {
            throw new LabException("cannot read " + part + ": " + e.getMessage(), e);
        }
    }

    /** Reads the classic format (pcap-savefile(5)): a header for the file, and one for each frame. */
    private static List<byte[]> frames(ByteBuffer pcap) {
        pcap.order(pcap.getInt(0) == PCAP_MAGIC ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN);
        List<byte[]> frames = new ArrayList<>();
        for (pcap.position(PCAP_HEADER); pcap.hasRemaining(); ) {
            int captured = pcap.getInt(pcap.position() + 8);
            byte[] frame = new byte[captured];
            pcap.position(pcap.position() + PCAP_RECORD_HEADER).get(frame);
            frames.add(frame);
        }
        return List.copyOf(frames);
    }

    private String said() {
        try {
            return Files.readString(log);
        } catch (IOException e) {
            return "";
        }
    }

    @Override
    public void close() {
        // To tcpdump itself: "timeout" runs it as its child and passes the signal on.
        tcpdump.destroy();
        try {
            if (!tcpdump.waitFor(5, TimeUnit.SECONDS)) {
                tcpdump.descendants().forEach(ProcessHandle::destroyForcibly);
                tcpdump.destroyForcibly();
            }
        } catch (InterruptedException e) {
            tcpdump.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }
}
