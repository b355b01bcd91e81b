package io.vxseal.kernel.packet;

import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.libc.KernelException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;

/**
 * A link between two hosts that says it computes the checksums which the kernel leaves to it, also those of packets in VXLAN, and in one
 * direction does or does not. It leads through a host of its own, which carries frames from one end to the other.
 */
public final class OffloadingLink implements AutoCloseable {
    private static final Duration PAUSE = Duration.ofMillis(50);
    private static final int CSUM_START = 6;

    private final FrameSocket one;
    private final FrameSocket other;
    private final Thread there;
    private final Thread back;
    private volatile boolean computes = true;
    private volatile boolean closed;

    /**
     * Carries frames between two links of a host.
     *
     * @param from index of the one that is the offloading link's near end
     */
    public OffloadingLink(TestHost host, int from, int to) throws KernelException {
        one = open(host, from);
        other = open(host, to);
        there = Thread.ofPlatform().daemon().start(() -> carry(one, other, false));
        back = Thread.ofPlatform().daemon().start(() -> carry(other, one, true));
    }

    private static FrameSocket open(TestHost host, int link) throws KernelException {
        return FrameSocket.openWithHeaders(host.namespace, link, new FrameFilter(1 << Short.SIZE), 0, 0);
    }

    /** Sets whether it computes what it is asked for, as it does at first. */
    public void compute(boolean does) {
        computes = does;
    }

    private void carry(FrameSocket from, FrameSocket to, boolean honest) {
        while (!closed) {
            from.receive(PAUSE).ifPresent(received -> {
                byte[] octets = new byte[received.limit()];
                received.get(0, octets);
                // The receiver takes a header that still asks for a checksum for one that need not be verified.
                to.send(computes || honest || !isAskedForInner(received)
                        ? octets : VirtioHeader.complete(Ipv4Frame.octets(VirtioHeader.frame(received))));
            });
        }
    }

    /** Returns whether a frame leaves a checksum to the link that begins behind the outermost UDP header. */
    private static boolean isAskedForInner(ByteBuffer received) {
        short start = received.slice(0, VirtioHeader.LENGTH).order(ByteOrder.nativeOrder()).getShort(CSUM_START);
        return received.get(0) != 0 && start > Ipv4Frame.CONTENT;
    }

    @Override
    public void close() throws InterruptedException {
        closed = true;
        there.join();
        back.join();
        one.close();
        other.close();
    }
}
