package io.vxseal.state;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** On a file system of the test's own, of which a copy is what a disk holds after a power cut. */
class WholeFileTest {
    private static final String LATE = "commit=300";

    @TempDir
    Path folder;

    private static void run(String... command) throws Exception {
        assertThat(new ProcessBuilder(command).inheritIO().start().waitFor()).isZero();
    }

    private static byte[] words(String words) {
        return words.getBytes(StandardCharsets.UTF_8);
    }

    @Test
    void holdsLastContentAfterPowerFailure() throws Exception {
        Path disk = folder.resolve("disk");
        Path after = folder.resolve("after");
        Path mounted = Files.createDirectory(folder.resolve("mounted"));
        try (RandomAccessFile file = new RandomAccessFile(disk.toFile(), "rw")) {
            file.setLength(8 << 20);
        }
        run("mkfs.ext4", "-q", disk.toString());
        run("mount", "-o", "loop," + LATE, disk.toString(), mounted.toString());
        try {
            WholeFile.replace(mounted.resolve("deep/er/state"), words("before"));
            WholeFile.replace(mounted.resolve("deep/er/state"), words("after"));
            Files.copy(disk, after);
        } finally {
            run("umount", mounted.toString());
        }
        run("mount", "-o", "loop", after.toString(), mounted.toString());
        try {
            assertThat(mounted.resolve("deep/er/state")).hasContent("after");
        } finally {
            run("umount", mounted.toString());
        }
    }

    @Test
    void replacesFileInLinkedFolder() throws Exception {
        Path file = folder.resolve("a/b/c");
        WholeFile.replace(file, words("x"));
        WholeFile.replace(Files.createSymbolicLink(folder.resolve("link"), folder.resolve("a/b")).resolve("c"), words("y"));
        assertThat(file).hasContent("y");
    }
}
