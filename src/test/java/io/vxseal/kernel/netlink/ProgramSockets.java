package io.vxseal.kernel.netlink;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.kernel.libc.LibC;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/**
 * The netlink sockets that the program under test has open in one namespace. By their options the kernel itself refuses its larger
 * requests, or what it answers cannot be read.
 */
public final class ProgramSockets {
    // asm-generic/socket.h
    private static final int SO_SNDBUF = 7;
    private static final int SO_SNDBUFFORCE = 32;
    private static final int SO_ATTACH_FILTER = 26;
    private static final int SO_DETACH_FILTER = 27;

    // linux/filter.h: BPF_RET | BPF_K
    private static final short RETURN_CONSTANT = 0x06;

    private static final int USUAL_BUFFER = 1 << 20;

    private final List<Integer> descriptors;

    private ProgramSockets(List<Integer> descriptors) {
        this.descriptors = descriptors;
    }

    /**
     * Finds the sockets.
     *
     * @param listing {@code /proc/net/netlink} of the namespace
     */
    public static ProgramSockets in(String listing, int protocol) throws IOException {
        Set<String> sockets = new HashSet<>();
        listing.lines().skip(1).map(line -> line.strip().split("\\s+")).filter(fields -> fields[1].equals("" + protocol))
                .forEach(fields -> sockets.add("socket:[%s]".formatted(fields[9])));
        try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
            List<Integer> found = open.filter(descriptor -> sockets.contains(target(descriptor)))
                    .map(descriptor -> Integer.parseInt(descriptor.getFileName().toString()))
                    .toList();
            assertThat(found).isNotEmpty();
            return new ProgramSockets(found);
        }
    }

    private static String target(Path descriptor) {
        try {
            return Files.readSymbolicLink(descriptor).toString();
        } catch (IOException closedMeanwhile) {
            return "";
        }
    }

    /** Has the kernel refuse requests of more than 4.5 kB, such as a batch. It still lists what it has. */
    public void refuseLargeRequests() {
        set(SO_SNDBUF, number(1));
    }

    /** Has the kernel take requests of any size again. */
    public void acceptLargeRequests() {
        set(SO_SNDBUFFORCE, number(USUAL_BUFFER));
    }

    /** Cuts each of the kernel's answers to one octet. */
    public void cutAnswers() {
        // struct sock_filter { __u16 code; __u8 jt; __u8 jf; __u32 k; };
        ByteBuffer program = direct(8).putShort(0, RETURN_CONSTANT).putInt(4, 1);
        // struct sock_fprog { unsigned short len; struct sock_filter *filter; };
        set(SO_ATTACH_FILTER, direct(16).putShort(0, (short) 1).putLong(8, LibC.address(program)));
    }

    /** Has answers arrive whole again. */
    public void passAnswers() {
        set(SO_DETACH_FILTER, number(0));
    }

    private void set(int option, ByteBuffer value) {
        for (int descriptor : descriptors) {
            assertThat(LibC.INSTANCE.setsockopt(descriptor, LibC.SOL_SOCKET, option, value)).isZero();
        }
    }

    private static ByteBuffer number(int value) {
        return direct(Integer.BYTES).putInt(0, value);
    }

    private static ByteBuffer direct(int size) {
        return ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder());
    }
}
