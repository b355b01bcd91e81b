package io.vxseal.kernel;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A file system in memory: for what must outlive this process but never reach a disk. */
public final class Tmpfs {
    private static final long FLAGS = LibC.MS_NOSUID | LibC.MS_NODEV | LibC.MS_NOEXEC;

    private Tmpfs() {}

    /**
     * Mounts one, mode 0700 and of a mebibyte, on a folder that is not in memory already. It stays when this process
     * ends; in a shared mount others see it too.
     *
     * @param folder made if it is not there
     * @throws IOException what the kernel or the file system under the folder said
     */
    public static void mount(Path folder) throws IOException {
        Files.createDirectories(folder);
        if (Files.getFileStore(folder).type().equals("tmpfs")) {
            return;
        }
        if (LibC.INSTANCE.mount("tmpfs", folder.toString(), "tmpfs", FLAGS, "mode=0700,size=1m") != 0) {
            throw LibC.failure("mount a tmpfs on " + folder);
        }
    }
}
