package io.vxseal.kernel.netns;

import io.vxseal.kernel.libc.Errno;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.libc.LibC;
import io.vxseal.kernel.route.Route;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A network namespace, held open by a file descriptor. One that is pinned, bind-mounted on a file, lives on with
 * everything in it when no process holds it any more (network_namespaces(7)).
 *
 * <p>A thread of this process enters a namespace only to open a socket or start a process in it. That is always a fresh platform thread
 * which ends afterwards: the JVM's own threads, and the carriers of virtual ones, never leave home.
 */
public final class Namespace implements AutoCloseable {
    /** More mounts than this on one pin are somebody else's. */
    private static final int STACKED_MOUNTS = 16;

    private final int fd;
    private volatile boolean closed;

    private Namespace(int fd) {
        this.fd = fd;
    }

    /** The namespace this process lives in. */
    public static Namespace own() throws KernelException {
        return new Namespace(descriptor(Path.of("/proc/self/ns/net"), "open the process's network namespace"));
    }

    /**
     * Makes a namespace with its loopback up and pins it. Nothing of it stays if a step fails.
     *
     * @param pin a file to mount it on; made, with the folders above it, if it is not there. Where other processes
     *     should see the namespace, its folder must be a shared mount.
     * @throws KernelException EEXIST if a namespace is pinned there already: whoever knows it for a leftover is to
     *     {@link #delete} it first
     */
    public static Namespace create(Path pin) throws KernelException {
        String what = "create network namespace " + pin;
        Optional<Namespace> standing = open(pin);
        if (standing.isPresent()) {
            standing.get().close();
            throw new KernelException(what, Errno.EEXIST, "EEXIST: one is pinned there already");
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
            int fd = onFreshThread(() -> {
                check(LibC.INSTANCE.unshare(LibC.CLONE_NEWNET), what);
                // Not /proc/self: that is the process's first thread, which stayed at home.
                String here = "/proc/thread-self/ns/net";
                check(LibC.INSTANCE.mount(here, pin.toString(), "none", LibC.MS_BIND, null), what);
                return descriptor(Path.of(here), what);
            });
            var namespace = new Namespace(fd);
            try (Route route = Route.in(namespace)) {
                route.setUp("lo");
                return namespace;
            } catch (KernelException e) {
                namespace.close();
                throw e;
            }
        } catch (KernelException e) {
            try {
                unpin(pin);
            } catch (KernelException undone) {
                e.addSuppressed(undone);
            }
            throw e;
        }
    }

    /** The namespace pinned on the file; empty if there is none: no file, or a plain one left behind. */
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
     * Unmounts the namespace from the file and deletes the file; it is no error if either is gone already. The
     * namespace and all links in it end when nobody else holds it open.
     */
    public static void unpin(Path pin) throws KernelException {
        String what = "unpin network namespace " + pin;
        for (int mounts = 0; LibC.INSTANCE.umount2(pin.toString(), LibC.MNT_DETACH) == 0; mounts++) {
            if (mounts == STACKED_MOUNTS) {
                throw new KernelException(what, Errno.EINVAL, "it is mounted over and over");
            }
        }
        int errno = LibC.errno();
        // EINVAL says that the file is no mount point.
        if (errno != Errno.EINVAL && errno != Errno.ENOENT) {
            throw new KernelException(what, errno, Errno.text(errno));
        }
        try {
            Files.deleteIfExists(pin);
        } catch (IOException e) {
            throw (KernelException) new KernelException(what, Errno.EIO, e.toString()).initCause(e);
        }
    }

    /**
     * Ends the namespace that is pinned on the file: deletes its VXLAN devices, so that nobody is sent to and their VNIs are
     * free at once, and {@link #unpin unpins} it. What is gone already is no error; what a failure left, the same call
     * ends later.
     */
    public static void delete(Path pin) throws KernelException {
        Optional<Namespace> pinned = open(pin);
        if (pinned.isPresent()) {
            try (Namespace namespace = pinned.get(); Route route = Route.in(namespace)) {
                for (Route.Link link : route.links()) {
                    if (link.tunnel().isPresent()) {
                        route.deleteLink(link.name());
                    }
                }
            }
        }
        unpin(pin);
    }

    /**
     * The descriptor, for messages that name a namespace.
     *
     * @throws IllegalStateException after this was closed: the number may be another file's by then
     */
    public int fd() {
        if (closed) {
            throw new IllegalStateException("the network namespace was closed");
        }
        return fd;
    }

    /** What is done inside a namespace; it answers a number, as a system call does. */
    @FunctionalInterface
    public interface Step {
        int run() throws KernelException;
    }

    /** Runs the step on a thread that is in this namespace, and waits for it. */
    public int within(Step step) throws KernelException {
        return onFreshThread(() -> {
            check(LibC.INSTANCE.setns(fd(), LibC.CLONE_NEWNET), "enter network namespace");
            return step.run();
        });
    }

    /** Starts a process that lives in this namespace. */
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

    private static int onFreshThread(Step step) throws KernelException {
        var outcome = new Object() {
            int value;
            @Nullable KernelException refused;
            @Nullable Throwable broken;
        };
        Thread thread = Thread.ofPlatform().name("network namespace").start(() -> {
            try {
                outcome.value = step.run();
            } catch (KernelException e) {
                outcome.refused = e;
            } catch (RuntimeException | Error e) {
                outcome.broken = e;
            }
        });
        boolean interrupted = false;
        while (true) {
            try {
                thread.join();
                break;
            } catch (InterruptedException e) {
                // The step is a few system calls; leaving them unattended would lose a descriptor.
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        if (outcome.refused != null) {
            throw outcome.refused;
        }
        if (outcome.broken != null) {
            throw new IllegalStateException("a step inside a network namespace broke off", outcome.broken);
        }
        return outcome.value;
    }

    private static int descriptor(Path path, String what) throws KernelException {
        return check(LibC.INSTANCE.open(path.toString(), LibC.O_RDONLY | LibC.O_CLOEXEC), what);
    }

    private static int check(int answer, String what) throws KernelException {
        if (answer < 0) {
            throw LibC.failure(what);
        }
        return answer;
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            LibC.INSTANCE.close(fd);
        }
    }
}
