package io.vxseal.kernel.filesystem;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vxseal.kernel.libc.KernelException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FolderLockTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    @TempDir
    Path folder;

    /** A program that takes a lock, prints a line, and holds the lock until it is killed. */
    static final class Holder {
        static void main(String[] words) throws Exception {
            FolderLock lock = FolderLock.take(Path.of(words[0]), Duration.ZERO).orElseThrow();
            // As firewall commands run, and must not inherit the lock.
            Process child = new ProcessBuilder("sleep", "300").start();
            System.out.println(child.pid());
            Thread.sleep(Duration.ofMinutes(5));
            lock.close();
        }
    }

    @Test
    void excludesOthersUntilClosed() throws Exception {
        try (FolderLock lock = FolderLock.take(folder, Duration.ZERO).orElseThrow()) {
            assertThat(FolderLock.take(folder, Duration.ZERO)).isEmpty();
            assertThat(FolderLock.take(folder, Duration.ofMillis(250))).isEmpty();
            lock.close();
            try (FolderLock again = FolderLock.take(folder, Duration.ZERO).orElseThrow()) {
                lock.close();
                assertThat(FolderLock.take(folder, Duration.ZERO)).isEmpty();
                again.close();
            }
        }
    }

    @Test
    void isReleasedByKilledProcessWithLivingChildren() throws Exception {
        Process holder = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin/java").toString(),
                        "--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow",
                        "-cp", System.getProperty("java.class.path"), Holder.class.getName(), folder.toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (var said = holder.inputReader()) {
            ProcessHandle child = ProcessHandle.of(Long.parseLong(said.readLine())).orElseThrow();
            try {
                assertThat(FolderLock.take(folder, Duration.ZERO)).isEmpty();
                holder.destroyForcibly();
                assertThat(child.isAlive()).isTrue();
                FolderLock.take(folder, PATIENCE).orElseThrow().close();
            } finally {
                child.destroyForcibly();
            }
        } finally {
            holder.destroyForcibly();
        }
    }

    /** The plugin sees the swarm's folder read-only. */
    @Test
    void excludesAcrossPathsAndReadOnlyMounts() throws Exception {
        Path held = Files.createDirectory(folder.resolve("held"));
        Path mounted = Files.createDirectory(folder.resolve("mounted"));
        run("mount", "--bind", held.toString(), mounted.toString());
        try {
            run("mount", "-o", "remount,bind,ro", mounted.toString());
            assertThatThrownBy(() -> Files.createFile(mounted.resolve("x"))).isInstanceOf(IOException.class);
            FolderLock lock = FolderLock.take(mounted, Duration.ZERO).orElseThrow();
            assertThat(FolderLock.take(held, Duration.ZERO)).isEmpty();
            lock.close();
            FolderLock.take(held, Duration.ZERO).orElseThrow().close();
        } finally {
            run("umount", mounted.toString());
        }
    }

    @Test
    void namesMissingFolder() throws Exception {
        Path file = Files.createFile(folder.resolve("file"));
        for (Path none : new Path[] {file, folder.resolve("absent")}) {
            assertThatThrownBy(() -> FolderLock.take(none, PATIENCE))
                    .isInstanceOf(KernelException.class)
                    .hasMessageContaining(none.toString());
        }
    }

    private static void run(String... command) throws Exception {
        assertThat(new ProcessBuilder(command).inheritIO().start().waitFor()).isZero();
    }
}
