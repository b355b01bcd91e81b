package io.vxseal.kernel.netns;

import io.vxseal.kernel.libc.Errno;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.libc.LibC;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A network namespace, held open by a file descriptor (network_namespaces(7)). A pinned one is bind-mounted on a file, and
 * exists with everything in it even while no process holds it.
 *
 * <p>A thread enters a namespace only to open a socket or start a process in it. That is always a new platform thread, which
 * ends afterwards: the JVM's own threads, and the carriers of virtual ones, never leave the process's namespace.
 */
public final class Namespace implements AutoCloseable {
    /** Mounts on one pin that are removed at most: more are not this program's. */
    private static final int STACKED_MOUNTS = 16;

    /** Not /proc/self: that is the process's first thread, which stays in its namespace. */
    private static final Path OF_THREAD = Path.of("/proc/thread-self/ns/net");

    private final int fd;
    private volatile boolean closed;

    private Namespace(int fd) {
        this.fd = fd;
    }

    /** Opens the namespace of this process. */
    public static Namespace own() throws KernelException {
        return new Namespace(descriptor(Path.of("/proc/self/ns/net"), "open the process's network namespace"));
    }

    /** Creates a namespace that ends once nothing holds it open. Its loopback is down. */
    public static Namespace create() throws KernelException {
        return new Namespace(onNewThread(Namespace::unshare));
    }

    /** Moves this thread to a new namespace, and returns a descriptor of it. */
    private static int unshare() throws KernelException {
        String what = "create network namespace";
        check(LibC.INSTANCE.unshare(LibC.CLONE_NEWNET), what);
        return descriptor(OF_THREAD, what);
    }

    /**
     * Creates a namespace and pins it. Its loopback is down. Nothing of it remains if a step fails.
     *
     * @param pin file to mount the namespace on; created, with the folders above it, if it does not exist. Its folder must be
     *     a shared mount if other processes are to see the namespace.
     * @throws KernelException EEXIST if a namespace is pinned there already; {@link #unpin} removes a leftover
     */
    public static Namespace create(Path pin) throws KernelException {
        String what = "create network namespace " + pin;
        Optional<Namespace> existing = open(pin);
        if (existing.isPresent()) {
            existing.get().close();
            throw new KernelException(what, Errno.EEXIST, "EEXIST: a namespace is pinned there already");
        }
        try {
            Files.createDirectories(pin.toAbsolutePath().getParent());
            if (Files.notExists(pin)) {
                Files.createFile(pin);
            }
        } catch (IOException e) {
            throw (KernelException) new KernelException(what, Errno.EIO, e.toString()).initCause(e);
        }
        try {
            return new Namespace(onNewThread(() -> {
                int created = unshare();
                try {
                    check(LibC.INSTANCE.mount(OF_THREAD.toString(), pin.toString(), "none", LibC.MS_BIND, null), what);
                } catch (KernelException refused) {
                    LibC.INSTANCE.close(created);
                    throw refused;
                }
                return created;
            }));
        } catch (KernelException e) {
            try {
                unpin(pin);
            } catch (KernelException failure) {
                e.addSuppressed(failure);
            }
            throw e;
        }
    }

    /** Opens the namespace pinned on the file; empty if there is no file, or a plain one without a namespace. */
    public static Optional<Namespace> open(Path pin) throws KernelException {
        int fd = LibC.INSTANCE.open(pin.toString(), LibC.O_RDONLY | LibC.O_CLOEXEC);
        if (fd < 0) {
            if (LibC.errno() == Errno.ENOENT) {
                return Optional.empty();
            }
            throw LibC.failure("open network namespace " + pin);
        }
        if (LibC.INSTANCE.ioctl(fd, LibC.NS_GET_NSTYPE, 0) != LibC.CLONE_NEWNET) {
            LibC.INSTANCE.close(fd);
            return Optional.empty();
        }
        return Optional.of(new Namespace(fd));
    }

    /**
     * Unmounts the namespace from the file and deletes the file. A missing mount or file is no error. The namespace and all
     * links in it end when no process holds it open.
     */
    public static void unpin(Path pin) throws KernelException {
        String what = "unpin network namespace " + pin;
        for (int mounts = 0; LibC.INSTANCE.umount2(pin.toString(), LibC.MNT_DETACH) == 0; mounts++) {
            if (mounts == STACKED_MOUNTS) {
                throw new KernelException(what, Errno.EINVAL, "more than %d mounts on the file".formatted(STACKED_MOUNTS));
            }
        }
        int errno = LibC.errno();
        // EINVAL means that the file is no mount point.
        if (errno != Errno.EINVAL && errno != Errno.ENOENT) {
            throw LibC.failure(what, errno);
        }
        try {
            Files.deleteIfExists(pin);
        } catch (IOException e) {
            throw (KernelException) new KernelException(what, Errno.EIO, e.toString()).initCause(e);
        }
    }

    /**
     * Returns the descriptor, for messages that name a namespace by one.
     *
     * @throws IllegalStateException if this was closed: the number may be another file's by now
     */
    public int fd() {
        if (closed) {
            throw new IllegalStateException("the network namespace was closed");
        }
        return fd;
    }

    /** Work inside a namespace. It returns a number, as a system call does. */
    @FunctionalInterface
    public interface Step {
        int run() throws KernelException;
    }

    /** Runs the step on a new thread in this namespace, and waits for it. */
    public int within(Step step) throws KernelException {
        return onNewThread(() -> {
            check(LibC.INSTANCE.setns(fd(), LibC.CLONE_NEWNET), "enter network namespace");
            return step.run();
        });
    }

    /** Starts a process in this namespace. */
    public Process start(ProcessBuilder builder) throws IOException {
        var started = new Object() {
            @Nullable Process process;
            @Nullable IOException refused;
        };
        // A child is in the network namespace of the thread that forks it.
        within(() -> {
            try {
                started.process = builder.start();
            } catch (IOException e) {
                started.refused = e;
            }
            return 0;
        });
        if (started.refused != null) {
            throw started.refused;
        }
        return Objects.requireNonNull(started.process);
    }

    private static int onNewThread(Step step) throws KernelException {
        var outcome = new Object() {
            int value;
            @Nullable KernelException refused;
            @Nullable Throwable unexpected;
        };
        Thread thread = Thread.ofPlatform().name("network namespace").start(() -> {
            try {
                outcome.value = step.run();
            } catch (KernelException e) {
                outcome.refused = e;
            } catch (RuntimeException | Error e) {
                outcome.unexpected = e;
            }
        });
        boolean interrupted = false;
        while (true) {
            try {
                thread.join();
                break;
            } catch (InterruptedException e) {
                // The step is a few system calls. Its result may be a descriptor, which must not be lost.
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        if (outcome.refused != null) {
            throw outcome.refused;
        }
        if (outcome.unexpected != null) {
            throw new IllegalStateException("a step inside a network namespace failed unexpectedly", outcome.unexpected);
        }
        return outcome.value;
    }

    private static int descriptor(Path path, String what) throws KernelException {
        return check(LibC.INSTANCE.open(path.toString(), LibC.O_RDONLY | LibC.O_CLOEXEC), what);
    }

    private static int check(int result, String what) throws KernelException {
        if (result < 0) {
            throw LibC.failure(what);
        }
        return result;
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            LibC.INSTANCE.close(fd);
        }
    }
}
