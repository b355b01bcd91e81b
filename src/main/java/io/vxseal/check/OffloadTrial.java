package io.vxseal.check;

import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.packet.AckFrame;
import io.vxseal.kernel.packet.FrameSocket;
import io.vxseal.kernel.route.Link;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A trial whether checksums arrive right that are left to the link underneath. Containers leave nearly all checksums of TCP and UDP to
 * whichever link their packets leave by at last, and some links claim to compute that of a packet inside of VXLAN, and do not: then the
 * receiver's kernel drops what containers say, but not pings. The same segment is sent to a container with a checksum that is left and
 * with one that is complete.
 */
final class OffloadTrial implements AutoCloseable {
    /** Pairs of segments of which no first one and each second one has to be answered. */
    private static final int PAIRS = 4;

    /** Ports above those that Linux gives to connections by default. */
    private static final int FIRST_PORT = 61_000;

    private static final int AFTER_LAST_PORT = 1 << Short.SIZE;

    /** What a trial shows. */
    enum Outcome {
        /** A segment with a checksum that was left was answered. */
        RIGHT,
        /** None was, while all with a complete one were. */
        WRONG,
        /** Others were lost as well, or the container's firewall withholds the answers. */
        UNKNOWN
    }

    private final FrameSocket socket;
    private final AckFrame frames;
    private final Duration patience;
    private final AtomicInteger number = new AtomicInteger(ThreadLocalRandom.current().nextInt());

    private OffloadTrial(FrameSocket socket, AckFrame frames, Duration patience) {
        this.socket = socket;
        this.frames = frames;
        this.patience = patience;
    }

    /**
     * Opens a trial with a container.
     *
     * @param device the VXLAN device of the way's subnet
     * @param patience time to wait for an answer
     */
    static OffloadTrial open(Namespace namespace, Link device, Way way, Way.Endpoint there, Duration patience) throws KernelException {
        AckFrame frames = new AckFrame(way.here().mac(), way.here().address(), port(), there.mac(), there.address(), port());
        return new OffloadTrial(
                FrameSocket.openWithHeaders(namespace, device.index(), frames.answers(), way.mark(), way.priority()), frames, patience);
    }

    private static int port() {
        return ThreadLocalRandom.current().nextInt(FIRST_PORT, AFTER_LAST_PORT);
    }

    /** Sends segments until it is known what they show. */
    Outcome run() {
        for (int pair = 0; pair < PAIRS; pair++) {
            int left = number.incrementAndGet();
            if (socket.send(frames.unsummed(left)) && isAnswered(left)) {
                return Outcome.RIGHT;
            }
            int complete = number.incrementAndGet();
            if (!socket.send(frames.summed(complete)) || !isAnswered(complete)) {
                return Outcome.UNKNOWN;
            }
        }
        return Outcome.WRONG;
    }

    private boolean isAnswered(int segment) {
        long end = System.nanoTime() + patience.toNanos();
        for (long left = patience.toNanos(); left > 0; left = end - System.nanoTime()) {
            Optional<ByteBuffer> received = socket.receive(Duration.ofNanos(left));
            if (received.filter(answer -> frames.isAnswer(answer, segment)).isPresent()) {
                return true;
            }
        }
        return false;
    }

    @Override
    public void close() {
        socket.close();
    }
}
