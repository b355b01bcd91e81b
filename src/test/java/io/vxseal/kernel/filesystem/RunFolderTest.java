package io.vxseal.kernel.filesystem;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.assertj.core.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunFolderTest {
    @TempDir
    Path folder;

    private static void run(String... command) throws Exception {
        assertThat(new ProcessBuilder(command).inheritIO().start().waitFor()).isZero();
    }

    @Test
    void identityIsEqualByEveryPathAndMount() throws Exception {
        Path held = Files.createDirectories(folder.resolve("a b/vxseal.run"));
        Path mounted = Files.createDirectory(folder.resolve("mou\\nted"));
        Path link = Files.createSymbolicLink(folder.resolve("link"), held);
        String identity = RunFolder.identity(held);
        run("mount", "--bind", held.getParent().toString(), mounted.toString());
        try {
            assertThat(RunFolder.identity(mounted.resolve("vxseal.run"))).isEqualTo(identity);
            assertThat(RunFolder.identity(link)).isEqualTo(identity);
            run("mount", "--bind", held.toString(), held.toString());
            assertThat(RunFolder.identity(held)).as("mounted on itself").isEqualTo(identity);
            run("umount", held.toString());
        } finally {
            run("umount", mounted.toString());
        }
        assertThat(identity)
                .contains("a b/vxseal.run@" + Files.readString(Path.of("/proc/sys/kernel/random/boot_id")).strip());
    }

    @Test
    void identityDiffersBetweenFoldersAndFileSystems() throws Exception {
        Path one = Files.createDirectory(folder.resolve("one"));
        Path other = Files.createDirectory(folder.resolve("other"));
        String identity = RunFolder.identity(one);
        assertThat(RunFolder.identity(other)).isNotEqualTo(identity);
        assertThat(RunFolder.identity(folder)).isNotEqualTo(identity);
        run("mount", "-t", "tmpfs", "tmpfs", one.toString());
        try {
            assertThat(RunFolder.identity(one)).as("hidden by a mount").isNotEqualTo(identity);
        } finally {
            run("umount", one.toString());
        }
    }

    @Test
    void identityNeedsExistingFolder() {
        Assertions.assertThatThrownBy(() -> RunFolder.identity(folder.resolve("absent")))
                .isInstanceOf(NoSuchFileException.class);
    }
}
