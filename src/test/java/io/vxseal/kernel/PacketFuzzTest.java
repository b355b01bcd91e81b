package io.vxseal.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.kernel.Attempt.Attacker;
import io.vxseal.kernel.Attempt.Piece;
import io.vxseal.kernel.Firewall.Transport;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.LongFunction;
import java.util.stream.LongStream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Random packets that are not sealed: none reaches a container of an encrypted network, and no process on a node gets one
 * out or in. The same packets get through before the rules stand and after they went, or the test would prove nothing.
 *
 * <p>Packet sockets of processes are left out: what they send meets neither policies nor firewall, and is in clear like
 * anything that a stranger sends.
 *
 * <p>A failure prints the attempts that got through. They belong into {@code packets-that-got-through.txt}, from where
 * they are made again before all others.
 */
class PacketFuzzTest {
    /** Attempts of each test; {@code ./test --soak} has more. */
    private static final int ATTEMPTS = Integer.getInteger("vxseal.packets", 20_000);

    private static final long SEED = Long.getLong("vxseal.packets.seed", 12);

    /** Fewer than the frames that the kernel keeps for a processor that is busy. */
    private static final int BATCH = 100;

    /** For the last frames of a batch, on a machine that does other things. */
    private static final int PATIENCE = 10_000;

    /** Time in milliseconds after which what has not come does not come. */
    private static final int QUIET = 100;

    /** Of what got through, so many are printed. */
    private static final int PRINTED = 5;

    private static final String KEPT = "packets-that-got-through.txt";

    @TempDir
    Path folder;

    private PacketLab lab;
    private Transport transport;

    @ParameterizedTest
    @EnumSource
    void hostsRulesAloneDropClearFramesFromTheWire(FirewallTest.Kind kind) throws Exception {
        try (var opened = new PacketLab(folder, kind.transport)) {
            begin(opened, kind.transport);
            var wire = new Way(Attacker.STRANGER, lab.inside(), this::sendFrames, forge(Attacker.STRANGER, lab.peer(), lab.address()));
            Firewall firewall = kind.firewall(lab.node, PacketLab.PORT);
            wire.assertOpen();
            firewall.protect(PacketLab.SEALED);
            wire.assertClosedToKept();
            wire.assertClosed(0, ATTEMPTS / 2);
            lab.trackConnections();
            wire.assertClosedToKept();
            wire.assertClosed(ATTEMPTS / 2, ATTEMPTS);
            firewall.unprotect(PacketLab.SEALED);
            wire.assertOpen();
        }
    }

    @ParameterizedTest
    @EnumSource
    void dropsDatagramsOfProcesses(FirewallTest.Kind kind) throws Exception {
        try (var opened = new PacketLab(folder, kind.transport)) {
            begin(opened, kind.transport);
            var ways = new ArrayList<Way>();
            var threads = new ArrayList<AttackerThread>();
            for (Attacker attacker : List.of(Attacker.NOBODY, Attacker.RAW)) {
                var out = forge(attacker, lab.address(), lab.peer());
                var in = forge(attacker, lab.address(), lab.address());
                List<Attempt> rehearsal = LongStream.range(0, BATCH).mapToObj(out::attempt).toList();
                AttackerThread thread = new AttackerThread(lab.node, attacker, rehearsal);
                threads.add(thread);
                ways.add(new Way(attacker, List.of(lab.outSealed), thread::send, out));
                ways.add(new Way(attacker, lab.inside(), thread::send, in));
            }
            try {
                Firewall firewall = kind.firewall(lab.node, PacketLab.PORT);
                for (Way way : ways) {
                    way.assertOpen();
                }
                firewall.protect(PacketLab.SEALED);
                for (Way way : ways) {
                    way.assertClosedToKept();
                    way.assertClosed(0, ATTEMPTS / 8);
                }
                lab.trackConnections();
                for (Way way : ways) {
                    way.assertClosedToKept();
                    way.assertClosed(ATTEMPTS / 8, ATTEMPTS / 4);
                }
                firewall.unprotect(PacketLab.SEALED);
                for (Way way : ways) {
                    way.assertOpen();
                }
            } finally {
                threads.forEach(AttackerThread::close);
            }
        }
    }

    private void begin(PacketLab lab, Transport transport) {
        this.lab = lab;
        this.transport = transport;
    }

    private PacketForge forge(Attacker attacker, InetAddress from, InetAddress to) {
        return new PacketForge(SEED, attacker, transport, from, to, PacketLab.SEALED, PacketLab.PLAIN, PacketLab.PORT);
    }

    private void sendFrames(List<Attempt> attempts) {
        for (Attempt attempt : attempts) {
            for (Piece piece : attempt.pieces()) {
                piece.options().forEach(option -> lab.wire.set(option.level(), option.name(), option.value()));
                lab.wire.send(piece.octets(), piece.address(), piece.flags());
            }
        }
    }

    /** How attempts are made. */
    @FunctionalInterface
    private interface Sender {
        void send(List<Attempt> attempts) throws Exception;
    }

    /** From an attacker to where a frame must not come. */
    private final class Way {
        private final Attacker attacker;
        private final List<RawSocket> ends;
        private final Sender sender;
        private final PacketForge forge;
        private final PacketForge pace;

        Way(Attacker attacker, List<RawSocket> ends, Sender sender, PacketForge forge) {
            this.attacker = attacker;
            this.ends = ends;
            this.sender = sender;
            this.forge = forge;
            this.pace = new PacketForge(SEED, Attacker.STRANGER, transport, lab.peer(), lab.address(), PacketLab.PLAIN, 0, PacketLab.PORT);
        }

        /** All attempts without a change get through, and many with. */
        void assertOpen() throws Exception {
            int attempts = Math.min(ATTEMPTS / 20, 2000);
            Set<Long> plain = new HashSet<>(run(0, attempts, forge::plain));
            assertThat(plain).as("unchanged packets of %s without rules", attacker).hasSize(attempts);
            Set<Long> changed = new HashSet<>(run(0, attempts, forge::attempt));
            System.out.println(this + ": without rules " + changed.size() + " of " + attempts);
            assertThat(changed).as("changed packets of %s without rules", attacker).hasSizeGreaterThan(attempts / 3);
        }

        void assertClosed(long from, long to) throws Exception {
            Set<Long> got = new HashSet<>(run(from, to, forge::attempt));
            System.out.println(this + ": " + got.size() + " of " + (to - from));
            assertThat(got.stream().sorted().limit(PRINTED).map(index -> "\n" + transport + " " + forge.attempt(index)))
                    .as("%s's packets that got through, %d of %d with seed %d", attacker, got.size(), to - from, SEED)
                    .isEmpty();
        }

        void assertClosedToKept() throws Exception {
            List<Attempt> kept = kept(transport, attacker);
            for (Attempt attempt : kept) {
                assertThat(run(0, 1, index -> attempt)).as("kept: %s", attempt).isEmpty();
            }
        }

        /** Returns the indices of the attempts that got through. */
        private List<Long> run(long from, long to, LongFunction<Attempt> attempts) throws Exception {
            var got = new ArrayList<Long>();
            lab.drain();
            for (long start = from; start < to; start += BATCH) {
                sender.send(LongStream.range(start, Math.min(to, start + BATCH)).mapToObj(attempts).toList());
                awaitPace(start);
                collect(got);
            }
            for (RawSocket end : ends) {
                while (end.awaitFrame(QUIET)) {
                    collect(got);
                }
            }
            return got;
        }

        /** An unencrypted network's frame goes behind the others. */
        private void awaitPace(long index) {
            sendFrames(List.of(pace.plain(index)));
            assertThat(lab.inPlain.awaitFrame(PATIENCE)).as("a frame of the plain network arrives").isTrue();
            while (lab.inPlain.receive().length > 0) {}
        }

        private void collect(List<Long> got) {
            for (RawSocket end : ends) {
                for (byte[] frame = end.receive(); frame.length > 0; frame = end.receive()) {
                    got.add(PacketForge.index(frame));
                }
            }
        }

        @Override
        public String toString() {
            return "%s %s to %s".formatted(transport, attacker, forge.target().getHostAddress());
        }
    }

    /** Lines with a transport and an attempt; others are comments. */
    private static List<Attempt> kept(Transport transport, Attacker attacker) throws IOException {
        try (var text = PacketFuzzTest.class.getResourceAsStream(KEPT)) {
            String begin = transport + " " + attacker + " ";
            return new String(text.readAllBytes(), StandardCharsets.US_ASCII).lines()
                    .filter(line -> line.startsWith(begin))
                    .map(line -> Attempt.parse(line.substring(transport.toString().length() + 1)))
                    .toList();
        }
    }
}
