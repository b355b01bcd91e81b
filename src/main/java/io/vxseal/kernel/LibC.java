package io.vxseal.kernel;

import jnr.ffi.LastError;
import jnr.ffi.LibraryLoader;
import jnr.ffi.Pointer;
import jnr.ffi.Runtime;
import jnr.ffi.types.size_t;
import jnr.ffi.types.ssize_t;

/** The C library, as far as this room calls it. */
final class LibC {
    static final Functions INSTANCE = LibraryLoader.create(Functions.class).load("c");
    static final Runtime RUNTIME = Runtime.getRuntime(INSTANCE);

    /** {@code asm-generic/fcntl.h}. */
    static final int O_RDONLY = 0;

    static final int O_CLOEXEC = 0x80000;

    /** {@code linux/sched.h}. */
    static final int CLONE_NEWNET = 0x40000000;

    /** {@code linux/mount.h}. */
    static final long MS_NOSUID = 2;

    static final long MS_NODEV = 4;
    static final long MS_NOEXEC = 8;
    static final long MS_BIND = 4096;

    /** {@code sys/mount.h}. */
    static final int MNT_DETACH = 2;

    /** {@code linux/nsfs.h}: which kind of namespace a descriptor holds, as its CLONE_ flag. */
    static final long NS_GET_NSTYPE = 0xb703;

    private LibC() {}

    /**
     * The functions, each named and shaped as in its manual page (section 2). All answer -1 on failure; {@link
     * #errno()} then says why, if asked by the same thread before it calls anything else.
     *
     * <p>Public, though nobody outside can see its owner, because jnr-ffi implements it in a class loader of its own.
     */
    public interface Functions {
        int open(String path, int flags);

        int close(int fd);

        int ioctl(int fd, long request, long argument);

        int setns(int fd, int kind);

        int unshare(int flags);

        int mount(String source, String target, String type, long flags, String data);

        int umount2(String target, int flags);

        int socket(int domain, int type, int protocol);

        int bind(int fd, Pointer address, int length);

        int setsockopt(int fd, int level, int option, Pointer value, int length);

        @ssize_t
        long send(int fd, Pointer octets, @size_t long length, int flags);

        @ssize_t
        long recv(int fd, Pointer octets, @size_t long length, int flags);

        int recvmmsg(int fd, Pointer messages, int count, int flags, Pointer timeout);

        long syscall(long number, long first, long second, long third);

        int poll(Pointer descriptors, long count, int milliseconds);

        String strerror(int errno);
    }

    /** Why the calling thread's last call failed. */
    static int errno() {
        return LastError.getLastError(RUNTIME);
    }

    /** The exception for the calling thread's last call. */
    static KernelException failure(String what) {
        int errno = errno();
        return new KernelException(what, errno, Errno.text(errno));
    }
}
