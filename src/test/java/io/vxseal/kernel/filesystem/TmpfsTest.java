package io.vxseal.kernel.filesystem;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TmpfsTest {
    @TempDir
    private Path temp;

    @AfterEach
    void unmount() throws Exception {
        new ProcessBuilder("umount", "-q", folder().toString()).start().waitFor();
        new ProcessBuilder("umount", "-q", folder().toString()).start().waitFor();
    }

    private Path folder() {
        return temp.resolve("deep/ring");
    }

    private List<String> mounts() throws IOException {
        return Files.readAllLines(Path.of("/proc/self/mounts")).stream()
                .filter(line -> line.contains(" " + folder() + " "))
                .toList();
    }

    /** Returns whether mount(8) can mount a tmpfs with noswap here. */
    private boolean kernelHasNoswap() throws Exception {
        Path probe = Files.createDirectories(temp.resolve("probe"));
        int status = new ProcessBuilder("mount", "-t", "tmpfs", "-o", "noswap", "tmpfs", probe.toString()).start().waitFor();
        new ProcessBuilder("umount", "-q", probe.toString()).start().waitFor();
        return status == 0;
    }

    @Test
    void mountsOnceInMemoryForOwnerOnly() throws IOException {
        Tmpfs.mount(folder());
        Tmpfs.mount(folder());
        assertThat(mounts()).hasSize(1);
        assertThat(Files.getFileStore(folder()).type()).isEqualTo("tmpfs");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(folder()))).isEqualTo("rwx------");
    }

    @Test
    void isNeverSwappedIfKernelSupportsIt() throws Exception {
        Tmpfs.mount(folder());
        assertThat(mounts().getLast().contains("noswap")).isEqualTo(kernelHasNoswap());
    }

    /** Earlier versions left such a folder, and /run is one. */
    @Test
    void movesFilesOfFolderThatMayBeSwapped() throws Exception {
        Files.createDirectories(folder());
        assertThat(new ProcessBuilder("mount", "-t", "tmpfs", "tmpfs", folder().toString()).start().waitFor()).isZero();
        Files.writeString(folder().resolve("ring"), "keys");

        Tmpfs.mount(folder());

        assertThat(mounts().getLast().contains("noswap")).isEqualTo(kernelHasNoswap());
        assertThat(folder().resolve("ring")).hasContent("keys");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(folder().resolve("ring"))))
                .isEqualTo("rw-------");
        if (kernelHasNoswap()) {
            assertThat(new ProcessBuilder("umount", folder().toString()).start().waitFor()).isZero();
            assertThat(folder()).as("beneath").isEmptyDirectory();
        }
    }
}
