package io.vxseal.kernel.firewall;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.kernel.RawSocket;
import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.firewall.Attempt.Attacker;
import io.vxseal.kernel.firewall.Attempt.Channel;
import io.vxseal.kernel.firewall.Attempt.Option;
import io.vxseal.kernel.firewall.Attempt.Piece;
import io.vxseal.kernel.libc.Errno;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.libc.LibC;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * A thread in a namespace that has an attacker's rights and no others, and what it sends. Linux keeps credentials by
 * thread: the C library gives the same ones to all threads of a process, the system call does not.
 */
final class AttackerThread implements AutoCloseable {
    private static final boolean X86 = System.getProperty("os.arch").equals("amd64");

    // asm/unistd_64.h of x86, asm-generic/unistd.h
    private static final long SETGROUPS = X86 ? 116 : 159;
    private static final long SETRESUID = X86 ? 117 : 147;
    private static final long SETRESGID = X86 ? 119 : 149;
    private static final long CAPSET = X86 ? 126 : 91;

    /** linux/capability.h. */
    private static final int LINUX_CAPABILITY_VERSION_3 = 0x20080522;

    private static final int CAP_NET_RAW = 13;
    private static final int UID_NOBODY = 65534;
    private static final int IPPROTO_UDP = 17;
    private static final int IPPROTO_RAW = 255;

    private final Attacker attacker;
    private final ExecutorService thread = Executors.newSingleThreadExecutor(Thread.ofPlatform().name("attacker").factory());
    private final ByteBuffer buffer = RawSocket.buffer();

    /**
     * Starts it.
     *
     * @param rehearsal what is sent with all rights before, so that the thread has no class left to load
     */
    AttackerThread(TestHost host, Attacker attacker, List<Attempt> rehearsal) throws Exception {
        this.attacker = attacker;
        int namespace = host.namespace.fd();
        call(() -> {
            check(LibC.INSTANCE.setns(namespace, LibC.CLONE_NEWNET), "enter network namespace");
            rehearsal.forEach(this::makeAttempt);
            switch (attacker) {
                case NOBODY -> {
                    check(LibC.INSTANCE.syscall(SETGROUPS, 0, 0, 0), "give up groups");
                    check(LibC.INSTANCE.syscall(SETRESGID, UID_NOBODY, UID_NOBODY, UID_NOBODY), "become nobody");
                    check(LibC.INSTANCE.syscall(SETRESUID, UID_NOBODY, UID_NOBODY, UID_NOBODY), "become nobody");
                }
                case RAW -> {
                    ByteBuffer header = direct(8).putInt(0, LINUX_CAPABILITY_VERSION_3);
                    ByteBuffer sets = direct(24).putInt(0, 1 << CAP_NET_RAW).putInt(4, 1 << CAP_NET_RAW);
                    check(LibC.INSTANCE.syscall(CAPSET, LibC.address(header), LibC.address(sets), 0), "give up capabilities");
                }
                case STRANGER -> throw new IllegalArgumentException("an outsider has no thread on the node");
            }
            assertRights(attacker);
            return null;
        });
    }

    private void assertRights(Attacker attacker) throws KernelException {
        try (RawSocket socket = open(Channel.IP4)) {
            assertThat(attacker).as("who may open raw sockets").isEqualTo(Attacker.RAW);
            assertThat(socket.forceReceiveBuffer()).as("what needs CAP_NET_ADMIN").isFalse();
        } catch (KernelException refused) {
            assertThat(attacker).as("who may not open raw sockets").isEqualTo(Attacker.NOBODY);
            assertThat(refused.errno()).isEqualTo(Errno.EPERM);
        }
    }

    Attacker attacker() {
        return attacker;
    }

    /** Returns how many pieces the kernel took. */
    int send(List<Attempt> attempts) throws Exception {
        return call(() -> attempts.stream().mapToInt(this::makeAttempt).sum());
    }

    /** Returns what the thread answers. */
    <T> T call(Callable<T> task) throws Exception {
        try {
            return thread.submit(task).get();
        } catch (ExecutionException e) {
            throw new AssertionError("the attacker's thread", e.getCause());
        }
    }

    private int makeAttempt(Attempt attempt) {
        Map<Channel, RawSocket> sockets = new EnumMap<>(Channel.class);
        int sent = 0;
        try {
            for (Piece piece : attempt.pieces()) {
                RawSocket socket = sockets.get(piece.channel());
                if (socket == null) {
                    try {
                        socket = open(piece.channel());
                    } catch (KernelException refused) {
                        return sent;
                    }
                    sockets.put(piece.channel(), socket);
                }
                for (Option option : piece.options()) {
                    socket.set(option.level(), option.name(), option.value());
                }
                if (socket.send(piece.octets(), piece.address(), piece.flags())) {
                    sent++;
                }
            }
            return sent;
        } finally {
            sockets.values().forEach(RawSocket::close);
        }
    }

    private RawSocket open(Channel channel) throws KernelException {
        return switch (channel) {
            case UDP4 -> RawSocket.open(RawSocket.AF_INET, RawSocket.SOCK_DGRAM, 0, buffer);
            case UDP6 -> RawSocket.open(RawSocket.AF_INET6, RawSocket.SOCK_DGRAM, 0, buffer);
            case DATAGRAM4 -> RawSocket.open(RawSocket.AF_INET, RawSocket.SOCK_RAW, IPPROTO_UDP, buffer);
            case DATAGRAM6 -> RawSocket.open(RawSocket.AF_INET6, RawSocket.SOCK_RAW, IPPROTO_UDP, buffer);
            case IP4 -> RawSocket.open(RawSocket.AF_INET, RawSocket.SOCK_RAW, IPPROTO_RAW, buffer);
            case IP6 -> RawSocket.open(RawSocket.AF_INET6, RawSocket.SOCK_RAW, IPPROTO_RAW, buffer);
            case PACKET -> throw new IllegalArgumentException("a packet socket meets no firewall on its way out");
        };
    }

    private static ByteBuffer direct(int length) {
        return ByteBuffer.allocateDirect(length).order(ByteOrder.nativeOrder());
    }

    private static void check(long result, String what) throws KernelException {
        if (result < 0) {
            throw LibC.failure(what);
        }
    }

    @Override
    public void close() {
        thread.close();
    }
}
