package io.vxseal.kernel.filesystem;

import io.vxseal.kernel.libc.Errno;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.libc.LibC;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/**
 * A lock on a folder, which one process of all that see the folder holds (flock(2)): by whatever path they see it, and where
 * it may only be read, too. The kernel releases it with the process that holds it, however that ends.
 */
public final class FolderLock implements AutoCloseable {
    /** A process that was killed may take a moment to be gone. */
    private static final Duration AGAIN = Duration.ofMillis(100);

    private final int fd;
    private boolean closed;

    private FolderLock(int fd) {
        this.fd = fd;
    }

    /**
     * Takes the lock.
     *
     * @param folder that is there
     * @param patience how long to wait for another process to let go of it; zero for not at all
     * @return empty if another process holds it all that time
     */
    public static Optional<FolderLock> take(Path folder, Duration patience)
            throws KernelException, InterruptedException {
        long start = System.nanoTime();
        String what = "lock folder " + folder;
        int fd = LibC.INSTANCE.open(folder.toString(), LibC.O_RDONLY | LibC.O_DIRECTORY | LibC.O_CLOEXEC);
        if (fd < 0) {
            throw LibC.failure(what);
        }
        boolean taken = false;
        try {
            while (LibC.INSTANCE.flock(fd, LibC.LOCK_EX | LibC.LOCK_NB) != 0) {
                int errno = LibC.errno();
                if (errno != Errno.EAGAIN && errno != Errno.EINTR) {
                    throw new KernelException(what, errno, Errno.text(errno));
                }
                if (System.nanoTime() - start >= patience.toNanos()) {
                    return Optional.empty();
                }
                Thread.sleep(AGAIN);
            }
            taken = true;
            return Optional.of(new FolderLock(fd));
        } finally {
            if (!taken) {
                LibC.INSTANCE.close(fd);
            }
        }
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            LibC.INSTANCE.close(fd);
        }
    }
}
