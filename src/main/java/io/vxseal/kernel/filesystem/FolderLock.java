package io.vxseal.kernel.filesystem;

import io.vxseal.kernel.libc.Errno;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.libc.LibC;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/**
 * An exclusive lock on a folder (flock(2)). It excludes all processes that see the folder, by whatever path, also where the
 * folder is read-only to them. The kernel releases it when the process that holds it ends.
 */
public final class FolderLock implements AutoCloseable {
    /** Interval between attempts: a killed process may take a moment to end. */
    private static final Duration RETRY_INTERVAL = Duration.ofMillis(100);

    private final int fd;
    private boolean closed;

    private FolderLock(int fd) {
        this.fd = fd;
    }

    /**
     * Takes the lock.
     *
     * @param folder an existing folder
     * @param patience how long to wait for another process to release the lock; zero to try once
     * @return empty if another process held it all that time
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
                    throw LibC.failure(what, errno);
                }
                if (System.nanoTime() - start >= patience.toNanos()) {
                    return Optional.empty();
                }
                Thread.sleep(RETRY_INTERVAL);
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
