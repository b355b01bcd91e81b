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
 * That one plugin runs on a host: two would each take the other's rules, states and policies away. It is known by locks on
 * folders that are the host's. Another plugin may be set to another run folder, but hardly to another swarm.
 */
final class SingleInstance {
    private SingleInstance() {}

    /**
     * Takes the locks, for as long as this process lives.
     *
     * @param run is made if it is not there
     * @param swarm is passed over if it is not there
     * @param patience how long each is waited for: what the engine killed may be in the middle of its end
     * @return the folder that another process holds; empty if this is the only one
     */
    static Optional<Path> held(Path run, Path swarm, Duration patience) throws IOException, InterruptedException {
        Files.createDirectories(run);
        // Never closed where this is the only one: the kernel does that at the end.
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
}
