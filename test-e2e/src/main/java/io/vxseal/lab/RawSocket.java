package io.vxseal.lab;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.ByteOrder;
import java.util.concurrent.CompletableFuture;

/**
 * A packet socket on one link of another network namespace: sends complete frames, valid or not. Layouts
 * and constants are those of linux/if_packet.h, linux/if_ether.h and sched.h.
 */
final class RawSocket implements AutoCloseable {

    private static final int AF_PACKET = 17;
    private static final int SOCK_RAW = 3;
    private static final int O_RDONLY = 0;
    private static final int CLONE_NEWNET = 0x4000_0000;

    /** struct sockaddr_ll. */
    private static final int SOCKADDR_LL_SIZE = 20;
    private static final int SLL_FAMILY = 0;
    private static final int SLL_IFINDEX = 4;

    private static final Linker LINKER = Linker.nativeLinker();
    private static final ValueLayout INT = ValueLayout.JAVA_INT;
    private static final ValueLayout LONG = ValueLayout.JAVA_LONG;
    private static final ValueLayout POINTER = ValueLayout.ADDRESS;

    private static final MethodHandle OPEN = LINKER.downcallHandle(
            LINKER.defaultLookup().findOrThrow("open"), FunctionDescriptor.of(INT, POINTER, INT),
            Linker.Option.firstVariadicArg(2));
    private static final MethodHandle SETNS = handle("setns", FunctionDescriptor.of(INT, INT, INT));
    private static final MethodHandle SOCKET = handle("socket", FunctionDescriptor.of(INT, INT, INT, INT));
    private static final MethodHandle IF_NAMETOINDEX = handle("if_nametoindex", FunctionDescriptor.of(INT, POINTER));
    private static final MethodHandle SENDTO =
            handle("sendto", FunctionDescriptor.of(LONG, INT, POINTER, LONG, INT, POINTER, INT));
    private static final MethodHandle CLOSE = handle("close", FunctionDescriptor.of(INT, INT));

    private final int socket;
    private final int link;

    private RawSocket(int socket, int link) {
        this.socket = socket;
        this.link = link;
    }

    static RawSocket open(String namespace, String link) {
        // The thread that enters the namespace ends there, so no other work runs in it.
        var opened = new CompletableFuture<RawSocket>();
        Thread.ofPlatform().name("into " + namespace).start(() -> {
            try (Arena arena = Arena.ofConfined()) {
                int file = check("open", (int) OPEN.invokeExact(arena.allocateFrom("/run/netns/" + namespace), O_RDONLY));
                check("setns", (int) SETNS.invokeExact(file, CLONE_NEWNET));
                check("close", (int) CLOSE.invokeExact(file));
                // Protocol 0: this socket receives nothing.
                int socket = check("socket", (int) SOCKET.invokeExact(AF_PACKET, SOCK_RAW, 0));
                int index = (int) IF_NAMETOINDEX.invokeExact(arena.allocateFrom(link));
                if (index == 0) {
                    throw new LabException("no link " + link + " in " + namespace);
                }
                opened.complete(new RawSocket(socket, index));
            } catch (Throwable e) {
                opened.completeExceptionally(e);
            }
        });
        return opened.join();
    }

    void send(byte[] frame) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment address = arena.allocate(SOCKADDR_LL_SIZE);
            address.set(ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.nativeOrder()), SLL_FAMILY, (short) AF_PACKET);
            address.set(ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.nativeOrder()), SLL_IFINDEX, link);
            MemorySegment bytes = arena.allocateFrom(ValueLayout.JAVA_BYTE, frame);
            long sent = (long) SENDTO.invokeExact(socket, bytes, (long) frame.length, 0, address, SOCKADDR_LL_SIZE);
            if (sent != frame.length) {
                throw new LabException("the frame of " + frame.length + " bytes was not sent");
            }
        } catch (LabException e) {
            throw e;
        } catch (Throwable e) {
            throw new LabException("cannot send a frame", e);
        }
    }

    @Override
    public void close() {
        try {
            check("close", (int) CLOSE.invokeExact(socket));
        } catch (Throwable e) {
            throw new LabException("cannot close a packet socket", e);
        }
    }

    private static MethodHandle handle(String name, FunctionDescriptor type) {
        return LINKER.downcallHandle(LINKER.defaultLookup().findOrThrow(name), type);
    }

    private static int check(String call, int result) {
        if (result < 0) {
            throw new LabException(call + " failed");
        }
        return result;
    }
}
