package io.vxseal.kernel.libc;

import com.kenai.jffi.CallContext;
import com.kenai.jffi.CallingConvention;
import com.kenai.jffi.Function;
import com.kenai.jffi.Invoker;
import com.kenai.jffi.LastError;
import com.kenai.jffi.Library;
import com.kenai.jffi.MemoryIO;
import com.kenai.jffi.Type;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.function.LongUnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * The functions of the C library that the kernel's packages call, bound by jffi. jnr-ffi, which is built on jffi, reads the
 * functions from an annotated interface instead; that costs a tenth of the start's processor time.
 */
public final class LibC {
    public static final Functions INSTANCE = new Functions();

    /** {@code asm-generic/fcntl.h}. */
    public static final int O_RDONLY = 0;

    public static final int O_DIRECTORY = 0x10000;
    public static final int O_CLOEXEC = 0x80000;

    /** {@code sys/file.h}. */
    public static final int LOCK_EX = 2;

    public static final int LOCK_NB = 4;

    /** {@code linux/sched.h}. */
    public static final int CLONE_NEWNET = 0x40000000;

    /** {@code linux/mount.h}. */
    public static final long MS_NOSUID = 2;

    public static final long MS_NODEV = 4;
    public static final long MS_NOEXEC = 8;
    public static final long MS_BIND = 4096;

    /** {@code sys/mount.h}. */
    public static final int MNT_DETACH = 2;

    /** {@code linux/nsfs.h}: an ioctl(2) that returns the kind of a namespace's descriptor as its CLONE_ flag. */
    public static final long NS_GET_NSTYPE = 0xb703;

    /** {@code bits/socket.h}: socket(2), recv(2). */
    public static final int SOCK_RAW = 3;

    public static final int SOCK_CLOEXEC = 0x80000;
    public static final int MSG_DONTWAIT = 0x40;

    /** {@code asm-generic/socket.h}: setsockopt(2). */
    public static final int SOL_SOCKET = 1;

    /** {@code sys/epoll.h}. */
    public static final int EPOLL_CLOEXEC = 0x80000;

    public static final int EPOLL_CTL_ADD = 1;
    public static final int EPOLL_CTL_DEL = 2;
    public static final int EPOLLIN = 1;

    private LibC() {}

    /** Returns the address of a direct buffer's memory, whatever its position. The buffer must outlive the use of the address. */
    public static long address(ByteBuffer direct) {
        return MemoryIO.getInstance().getDirectBufferAddress(direct);
    }

    /**
     * The functions with the names and parameters of their manual pages (section 2). Pointers are addresses of memory, 0 for
     * null. All return -1 on failure. {@link #errno()} then returns the reason to the same thread until its next call.
     */
    public static final class Functions {
        private static final Invoker CALL = Invoker.getInstance();
        private static final Library LIBRARY = Library.getCachedInstance("libc.so.6", Library.LAZY);

        private final Function open = function("open", Type.SINT, Type.POINTER, Type.SINT);
        private final Function close = function("close", Type.SINT, Type.SINT);
        private final Function flock = function("flock", Type.SINT, Type.SINT, Type.SINT);
        private final Function ioctl = function("ioctl", Type.SINT, Type.SINT, Type.ULONG, Type.SLONG);
        private final Function setns = function("setns", Type.SINT, Type.SINT, Type.SINT);
        private final Function unshare = function("unshare", Type.SINT, Type.SINT);
        private final Function mount =
                function("mount", Type.SINT, Type.POINTER, Type.POINTER, Type.POINTER, Type.ULONG, Type.POINTER);
        private final Function umount2 = function("umount2", Type.SINT, Type.POINTER, Type.SINT);
        private final Function socket = function("socket", Type.SINT, Type.SINT, Type.SINT, Type.SINT);
        private final Function bind = function("bind", Type.SINT, Type.SINT, Type.POINTER, Type.UINT);
        private final Function setsockopt =
                function("setsockopt", Type.SINT, Type.SINT, Type.SINT, Type.SINT, Type.POINTER, Type.UINT);
        private final Function getsockopt =
                function("getsockopt", Type.SINT, Type.SINT, Type.SINT, Type.SINT, Type.POINTER, Type.POINTER);
        private final Function adjtimex = function("adjtimex", Type.SINT, Type.POINTER);
        private final Function send = function("send", Type.SLONG, Type.SINT, Type.POINTER, Type.ULONG, Type.SINT);
        private final Function recv = function("recv", Type.SLONG, Type.SINT, Type.POINTER, Type.ULONG, Type.SINT);
        private final Function recvmmsg =
                function("recvmmsg", Type.SINT, Type.SINT, Type.POINTER, Type.UINT, Type.SINT, Type.POINTER);
        private final Function poll = function("poll", Type.SINT, Type.POINTER, Type.ULONG, Type.SINT);
        private final Function epollCreate1 = function("epoll_create1", Type.SINT, Type.SINT);
        private final Function epollCtl =
                function("epoll_ctl", Type.SINT, Type.SINT, Type.SINT, Type.SINT, Type.POINTER);
        private final Function epollWait =
                function("epoll_wait", Type.SINT, Type.SINT, Type.POINTER, Type.SINT, Type.SINT);
        private final Function syscall = function("syscall", Type.SLONG, Type.SLONG, Type.SLONG, Type.SLONG, Type.SLONG);
        private final Function strerror = function("strerror", Type.POINTER, Type.SINT);

        private static Function function(String name, Type returned, Type... parameters) {
            return new Function(LIBRARY.getSymbolAddress(name),
                    CallContext.getCallContext(returned, parameters, CallingConvention.DEFAULT, true));
        }

        public int open(String path, int flags) {
            return with(string(path), at -> CALL.invokeNNrN(open, at, flags));
        }

        public int close(int fd) {
            return (int) CALL.invokeNrN(close, fd);
        }

        public int flock(int fd, int operation) {
            return (int) CALL.invokeNNrN(flock, fd, operation);
        }

        public int ioctl(int fd, long request, long argument) {
            return (int) CALL.invokeNNNrN(ioctl, fd, request, argument);
        }

        public int setns(int fd, int kind) {
            return (int) CALL.invokeNNrN(setns, fd, kind);
        }

        public int unshare(int flags) {
            return (int) CALL.invokeNrN(unshare, flags);
        }

        /** Mounts a file system; {@code data} contains its options, null for none. */
        public int mount(String source, String target, String type, long flags, @Nullable String data) {
            return with(string(source), from -> with(string(target), to -> with(string(type), kind ->
                    with(string(data == null ? "" : data), options ->
                            CALL.invokeNNNNNrN(mount, from, to, kind, flags, data == null ? 0 : options)))));
        }

        public int umount2(String target, int flags) {
            return with(string(target), at -> CALL.invokeNNrN(umount2, at, flags));
        }

        public int socket(int domain, int type, int protocol) {
            return (int) CALL.invokeNNNrN(socket, domain, type, protocol);
        }

        /** Binds a socket to the address, the whole capacity of a direct buffer. */
        public int bind(int fd, ByteBuffer address) {
            return with(address, at -> CALL.invokeNNNrN(bind, fd, at, address.capacity()));
        }

        /** Sets a socket option to the value, the whole capacity of a direct buffer. */
        public int setsockopt(int fd, int level, int option, ByteBuffer value) {
            return with(value, at -> CALL.invokeNNNNNrN(setsockopt, fd, level, option, at, value.capacity()));
        }

        /** Reads a socket option into the whole capacity of a direct buffer, of which some values are the request. */
        public int getsockopt(int fd, int level, int option, ByteBuffer value) {
            ByteBuffer length = ByteBuffer.allocateDirect(Integer.BYTES).order(ByteOrder.nativeOrder());
            length.putInt(0, value.capacity());
            return with(value, at -> with(length, size -> CALL.invokeNNNNNrN(getsockopt, fd, level, option, at, size)));
        }

        /** Reads the kernel's clock into a direct buffer, which has the layout of a timex and zeros. Returns the clock's state. */
        public int adjtimex(ByteBuffer timex) {
            return with(timex, at -> CALL.invokeNrN(adjtimex, at));
        }

        public long send(int fd, long octets, long length, int flags) {
            return CALL.invokeNNNNrN(send, fd, octets, length, flags);
        }

        public long recv(int fd, long octets, long length, int flags) {
            return CALL.invokeNNNNrN(recv, fd, octets, length, flags);
        }

        public int recvmmsg(int fd, long messages, int count, int flags, long timeout) {
            return (int) CALL.invokeNNNNNrN(recvmmsg, fd, messages, count, flags, timeout);
        }

        public int poll(long descriptors, long count, int milliseconds) {
            return (int) CALL.invokeNNNrN(poll, descriptors, count, milliseconds);
        }

        public int epoll_create1(int flags) {
            return (int) CALL.invokeNrN(epollCreate1, flags);
        }

        /** Adds a descriptor to an epoll or removes it; {@code event} is a direct buffer. */
        public int epoll_ctl(int epoll, int operation, int fd, ByteBuffer event) {
            return with(event, at -> CALL.invokeNNNNrN(epollCtl, epoll, operation, fd, at));
        }

        public int epoll_wait(int epoll, long events, int most, int milliseconds) {
            return (int) CALL.invokeNNNNrN(epollWait, epoll, events, most, milliseconds);
        }

        public long syscall(long number, long first, long second, long third) {
            return CALL.invokeNNNNrN(syscall, number, first, second, third);
        }

        String strerror(int errno) {
            byte[] text = MemoryIO.getInstance().getZeroTerminatedByteArray(CALL.invokeNrN(strerror, errno));
            return new String(text, StandardCharsets.UTF_8);
        }

        /** Calls a function with the address of a direct buffer, and keeps the buffer reachable during the call. */
        private static int with(ByteBuffer direct, LongUnaryOperator call) {
            try {
                return (int) call.applyAsLong(address(direct));
            } finally {
                Reference.reachabilityFence(direct);
            }
        }

        /** Returns a C string: the octets of the words and a NUL. */
        private static ByteBuffer string(String words) {
            byte[] octets = words.getBytes(StandardCharsets.UTF_8);
            return ByteBuffer.allocateDirect(octets.length + 1).put(octets).put((byte) 0);
        }
    }

    /** Returns the error number of the calling thread's last call. */
    public static int errno() {
        return LastError.getInstance().get();
    }

    /** Returns the header's name and the C library's text of an error number, as in {@code "ESRCH (No such process)"}. */
    public static String text(int errno) {
        return Errno.name(errno) + " (" + INSTANCE.strerror(errno) + ")";
    }

    /** Returns the exception for the calling thread's last call. */
    public static KernelException failure(String what) {
        return failure(what, errno());
    }

    /** Returns the exception for an error number. */
    public static KernelException failure(String what, int errno) {
        return new KernelException(what, errno, text(errno));
    }
}
