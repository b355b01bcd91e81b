package io.vxseal.kernel.firewall;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.kernel.Packet;
import io.vxseal.kernel.RawSocket;
import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.firewall.Attempt.Attacker;
import io.vxseal.kernel.firewall.Attempt.Piece;
import io.vxseal.kernel.firewall.Firewall.Transport;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.LongFunction;
import java.util.function.Predicate;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Random packets that are not sealed: none reaches a container or the gateway of an encrypted network, and no process on a
 * node gets one out or in. Each barrier is tried alone. Packets of the same kind get through before the rules stand and
 * after they went, and a plain network's do all the time, or the test would prove nothing.
 *
 * <p>Packet sockets of processes are left out: what they send meets neither policies nor firewall, and is in clear like
 * anything that an outsider sends.
 *
 * <p>A failure prints the shortest attempts that got through. They belong into {@code packets-that-got-through.txt}, from
 * where they are made again before all others.
 */
class PacketFuzzTest {
    /** Attempts of each test; {@code ./test --soak} has more. */
    private static final int ATTEMPTS = Integer.getInteger("vxseal.packets", 5_000);

    private static final long SEED = Long.getLong("vxseal.packets.seed", 12);

    /** Attempts without rules and without a change, and as many with. */
    private static final int CONTROLS = 400;

    /** Index of the first of those: fragments of theirs may still be there when others come. */
    private static final long OPEN = 1L << 40;

    /** Fewer than the frames that the kernel keeps for a processor that is busy. */
    private static final int BATCH = 100;

    /** Time in milliseconds for a frame to come, on a machine that does other things. */
    private static final int PATIENCE = 10_000;

    /** Time in milliseconds after which such a frame is sent again. */
    private static final int RESEND = 500;

    /** Time in milliseconds after which what has not come does not come. */
    private static final int QUIET = 40;

    /** Index of a frame that was cut short. */
    private static final Long UNKNOWN = -1L;

    /** Of what got through, so many are printed. */
    private static final int PRINTED = 5;

    private static final int MARK = 0x76d0c4e3;
    private static final Set<Segment> SEGMENT = Set.of(new Segment(PacketLab.PORT, PacketLab.SEALED));
    private static final String KEPT = "packets-that-got-through.txt";

    /** The host's rules, and over which IP. */
    enum Rules {
        IPTABLES_NFT("iptables-nft", Transport.IPV4),
        IPTABLES_LEGACY("iptables-legacy", Transport.IPV4),
        IP6TABLES_NFT("ip6tables-nft", Transport.IPV6),
        IP6TABLES_LEGACY("ip6tables-legacy", Transport.IPV6),
        NFTABLES("nft", Transport.IPV4),
        NFTABLES_IPV6("nft", Transport.IPV6);

        private final String command;
        private final Transport transport;

        Rules(String command, Transport transport) {
            this.command = command;
            this.transport = transport;
        }

        private Firewall firewall(TestHost host) {
            var tools = CommandRunner.in(host.namespace());
            return command.equals("nft")
                    ? new NftablesFirewall(tools)
                    : new IptablesFirewall(new IptablesCommand(transport, tools, command));
        }
    }

    @TempDir
    Path folder;

    private final List<AutoCloseable> opened = new ArrayList<>();
    private PacketLab lab;

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable last : opened.reversed()) {
            last.close();
        }
    }

    /**
     * But for aggregates: several datagrams that come as one, as between virtual machines and from containers. The host's
     * firewall sees the first datagram's VNI only.
     */
    @ParameterizedTest
    @EnumSource
    void hostRulesAloneDropClearFramesFromTheWire(Rules rules) throws Exception {
        lab = opened(new PacketLab(folder, rules.transport));
        closesByHostRules(rules, List.of(fromTheWire(Predicate.not(Attempt::isAggregate))));
    }

    @ParameterizedTest
    @EnumSource
    void hostRulesAloneDropDatagramsOfProcesses(Rules rules) throws Exception {
        lab = opened(new PacketLab(folder, rules.transport));
        var ways = new ArrayList<Way>();
        for (Attacker attacker : List.of(Attacker.NOBODY, Attacker.RAW)) {
            AttackerThread thread = process(attacker);
            ways.add(out(thread));
            ways.add(in(thread));
        }
        closesByHostRules(rules, ways);
    }

    @ParameterizedTest
    @EnumSource
    void networkRulesAloneDropClearFrames(Transport transport) throws Exception {
        lab = opened(new PacketLab(folder, transport));
        SealedPriority priority = opened(SealedPriority.in(lab.node.namespace, MARK));
        FrameMark frames = opened(FrameMark.in(lab.sealed.namespace, MARK));
        closes(List.of(fromTheWire(attempt -> true), in(process(Attacker.NOBODY)), in(process(Attacker.RAW))), () -> {
            priority.restore();
            frames.restore();
        }, () -> {
            lab.sealed.run("nft flush ruleset");
            priority.remove();
        });
    }

    /** Asserts that the host's rules close the ways, together with the priority's table, which exists with either firewall. */
    private void closesByHostRules(Rules rules, List<Way> ways) throws Exception {
        Firewall firewall = rules.firewall(lab.node);
        SealedPriority priority = opened(SealedPriority.in(lab.node.namespace, MARK));
        closes(ways, () -> {
            priority.restore();
            firewall.protect(SEGMENT);
        }, () -> {
            firewall.unprotect(SEGMENT);
            priority.remove();
        });
    }

    private <T extends AutoCloseable> T opened(T opened) {
        this.opened.add(opened);
        return opened;
    }

    /** Step that adds rules, removes them or sends. */
    @FunctionalInterface
    private interface Change {
        void make() throws Exception;
    }

    /**
     * Asserts that all ways are closed while the rules are in force, and open before and after. Half of the time connections
     * are tracked.
     */
    private void closes(List<Way> ways, Change protect, Change unprotect) throws Exception {
        int share = ATTEMPTS / ways.size() / 2;
        for (Way way : ways) {
            way.assertOpen();
        }
        protect.make();
        for (Way way : ways) {
            way.assertClosed(0, share);
        }
        lab.trackConnections();
        for (Way way : ways) {
            way.assertClosed(share, 2L * share);
        }
        unprotect.make();
        for (Way way : ways) {
            way.assertOpen();
        }
    }

    private Way fromTheWire(Predicate<Attempt> chosen) {
        return new Way(lab.inside(), attempts -> sendFrames(attempts.stream().filter(chosen).toList()),
                lab.forge(SEED, Attacker.STRANGER, lab.peer(), lab.address()));
    }

    /** Returns a process of an attacker: a thread of its own, because credentials belong to a thread. */
    private AttackerThread process(Attacker attacker) throws Exception {
        PacketForge forge = lab.forge(SEED, attacker, lab.address(), lab.peer());
        return opened(new AttackerThread(lab.node, attacker, attempts(OPEN, OPEN + BATCH, forge::attempt)));
    }

    private Way out(AttackerThread thread) {
        return new Way(List.of(lab.outSealed), thread::send, lab.forge(SEED, thread.attacker(), lab.address(), lab.peer()));
    }

    /** Returns the way in by the node's own address. */
    private Way in(AttackerThread thread) {
        return new Way(lab.inside(), thread::send, lab.forge(SEED, thread.attacker(), lab.address(), lab.address()));
    }

    private void sendFrames(List<Attempt> attempts) {
        for (Attempt attempt : attempts) {
            for (Piece piece : attempt.pieces()) {
                piece.options().forEach(option -> lab.wire.set(option.level(), option.name(), option.value()));
                lab.wire.send(piece.octets(), piece.address(), piece.flags());
            }
        }
    }

    private static List<Attempt> attempts(long from, long to, LongFunction<Attempt> attempts) {
        return LongStream.range(from, to).mapToObj(attempts).toList();
    }

    /** Sender of attempts. */
    @FunctionalInterface
    private interface Sender {
        void send(List<Attempt> attempts) throws Exception;
    }

    /** From an attacker to where no frame may come. */
    private final class Way {
        private final List<RawSocket> ends;
        private final Sender sender;
        private final PacketForge forge;
        private final PacketForge pace;

        Way(List<RawSocket> ends, Sender sender, PacketForge forge) {
            this.ends = ends;
            this.sender = sender;
            this.forge = forge;
            this.pace = lab.forgeOfThePlainNetwork();
        }

        /** Asserts that all attempts without a change get through, and many with one. */
        void assertOpen() throws Exception {
            // Links and bridges take a moment to forward.
            awaitFrame(ends.getFirst(), () -> sender.send(List.of(forge.plain(OPEN))));
            Set<Long> plain = send(OPEN, OPEN + CONTROLS, forge::plain);
            assertThat(plain).as("unchanged packets without rules, of %s", this).hasSize(CONTROLS);
            Set<Long> changed = send(OPEN + CONTROLS, OPEN + 2 * CONTROLS, forge::attempt);
            assertThat(changed).as("changed packets without rules, of %s", this).hasSizeGreaterThan(CONTROLS / 2);
        }

        /** Asserts that no kept attempt gets through, and none of these. */
        void assertClosed(long from, long to) throws Exception {
            List<Attempt> kept = kept(forge.transport(), forge.attacker());
            assertThat(send(0, kept.size(), index -> kept.get((int) index)))
                    .as("indices of kept packets of %s that got through: as in their frames, in hex", this)
                    .isEmpty();
            Set<Long> got = send(from, to, forge::attempt);
            assertThat(got.stream()
                            .map(index -> "\n" + forge.transport() + " " + forge.attempt(index))
                            .sorted(Comparator.comparingInt(String::length))
                            .limit(PRINTED))
                    .as("%s: %d of %d got through, with seed %d", this, got.size(), to - from, SEED)
                    .isEmpty();
        }

        /** Returns the indices of the attempts that got through. */
        private Set<Long> send(long from, long to, LongFunction<Attempt> attempts) throws Exception {
            var got = new HashSet<Long>();
            lab.drain();
            for (long start = from; start < to; start += BATCH) {
                List<Attempt> batch = attempts(start, Math.min(to, start + BATCH), attempts);
                sender.send(batch);
                awaitPace(start);
                collect(got);
                if (got.remove(UNKNOWN)) {
                    got.add(start + culprit(batch));
                }
            }
            for (RawSocket end : ends) {
                while (end.awaitFrame(QUIET)) {
                    collect(got);
                }
            }
            return got;
        }

        /** Returns which one's frame arrives without what it is known by; the first if none does now. */
        private int culprit(List<Attempt> batch) throws Exception {
            for (int place = 0; place < batch.size(); place++) {
                var got = new HashSet<Long>();
                sender.send(List.of(batch.get(place)));
                awaitPace(place);
                collect(got);
                if (got.contains(UNKNOWN)) {
                    return place;
                }
            }
            return 0;
        }

        /**
         * Waits until a plain network's frame has come through behind the others. It is sent again if a busy machine lost it.
         */
        private void awaitPace(long index) throws Exception {
            awaitFrame(lab.inPlain, () -> sendFrames(List.of(pace.plain(index))));
        }

        /** Waits until a frame arrives, which is sent again and again. */
        private void awaitFrame(RawSocket end, Change sending) throws Exception {
            boolean arrived = false;
            for (int attempt = 0; attempt < PATIENCE / RESEND && !arrived; attempt++) {
                sending.make();
                arrived = end.awaitFrame(RESEND);
            }
            assertThat(arrived).as("a frame arrives that nothing stops").isTrue();
            end.drain();
        }

        private void collect(Set<Long> got) {
            for (RawSocket end : ends) {
                for (byte[] frame = end.receive(); frame.length > 0; frame = end.receive()) {
                    got.add(PacketForge.index(frame));
                }
            }
        }

        @Override
        public String toString() {
            return "%s to %s over %s".formatted(forge.attacker(), forge.target().getHostAddress(), forge.transport());
        }
    }

    /** Lines with a transport and an attempt; others are comments. */
    private static List<Attempt> kept(Transport transport, Attacker attacker) throws IOException {
        try (var text = PacketFuzzTest.class.getResourceAsStream(KEPT)) {
            return new String(text.readAllBytes(), StandardCharsets.US_ASCII).lines()
                    .filter(line -> line.startsWith(transport + " " + attacker + " "))
                    .map(line -> Attempt.parse(line.substring(line.indexOf(' ') + 1)))
                    .toList();
        }
    }
}
