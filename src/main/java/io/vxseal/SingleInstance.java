package io.vxseal;

import io.vxseal.kernel.filesystem.FolderLock;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Locks that let one plugin run on a host: two would remove each other's rules, states and policies.
 *
 * <p>The locks are on folders of the host. A second plugin may be set to another run folder, but hardly to another swarm.
 */
final class SingleInstance {
    /** Longest wait for a plugin that the engine has killed, which releases its locks within moments. */
    private static final Duration PREDECESSOR = Duration.ofSeconds(5);

    private static final Duration POLL_INTERVAL = Duration.ofSeconds(1);

    /** Looks before a refused plugin ends, whether or not the other one runs. */
    private static final int MAX_POLLS = 60;

    private SingleInstance() {}

    /**
     * Takes the locks for as long as this process lives. Waits for a predecessor that is ending.
     *
     * @param run is created if it does not exist
     * @param swarm is ignored if it does not exist
     * @return the folder that another process holds; empty if this is the only one
     */
    static Optional<Path> acquire(Path run, Path swarm) throws IOException, InterruptedException {
        return acquire(run, swarm, PREDECESSOR);
    }

    private static Optional<Path> acquire(Path run, Path swarm, Duration patience) throws IOException, InterruptedException {
        Files.createDirectories(run);
        // Never closed if this is the only one: the kernel releases them when the process ends.
        List<FolderLock> taken = new ArrayList<>();
        for (Path folder : List.of(run, swarm)) {
            if (Files.isDirectory(folder)) {
                Optional<FolderLock> lock = FolderLock.take(folder, patience);
                if (lock.isEmpty()) {
                    taken.forEach(FolderLock::close);
                    return Optional.of(folder);
                }
                taken.add(lock.get());
            }
        }
        return Optional.empty();
    }

    /**
     * Waits until the other plugin has ended, or for a minute. The engine restarts a plugin that ended at once. So one that must not run
     * stays and answers why, instead of being restarted over and over.
     */
    static void awaitRelease(Path run, Path swarm) throws IOException, InterruptedException {
        for (int polls = 0; polls < MAX_POLLS; polls++) {
            Thread.sleep(POLL_INTERVAL);
            if (acquire(run, swarm, Duration.ZERO).isEmpty()) {
                return;
            }
        }
    }
}
