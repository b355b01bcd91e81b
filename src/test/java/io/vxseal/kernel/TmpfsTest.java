package io.vxseal.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TmpfsTest {
    @TempDir
    private Path temp;

    @AfterEach
    void unmount() throws Exception {
        new ProcessBuilder("umount", folder().toString()).start().waitFor();
    }

    private Path folder() {
        return temp.resolve("deep/ring");
    }

    private long mounts() throws IOException {
        return Files.readAllLines(Path.of("/proc/self/mounts")).stream()
                .filter(line -> line.contains(" " + folder() + " "))
                .count();
    }

    @Test
    void itIsInMemoryTheOwnersAloneAndMountedOnce() throws IOException {
        Tmpfs.mount(folder());
        Tmpfs.mount(folder());
        assertThat(mounts()).isEqualTo(1);
        assertThat(Files.getFileStore(folder()).type()).isEqualTo("tmpfs");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(folder()))).isEqualTo("rwx------");
    }
}
