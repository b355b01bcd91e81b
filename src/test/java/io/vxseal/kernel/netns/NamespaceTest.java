package io.vxseal.kernel.netns;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.route.Bridge;
import io.vxseal.kernel.route.Route;
import io.vxseal.kernel.xfrm.Xfrm;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NamespaceTest {
    @TempDir
    Path folder;

    @AfterEach
    void nothingStaysMounted() throws IOException {
        assertThat(mounts()).noneMatch(line -> line.contains(folder.toString()));
    }

    private static List<String> mounts() throws IOException {
        return Files.readAllLines(Path.of("/proc/mounts"));
    }

    private static List<Path> openFiles() throws IOException {
        try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
            return descriptors.toList();
        }
    }

    private static String inode(String path) throws IOException {
        return Files.getAttribute(Path.of(path), "unix:ino").toString();
    }

    @Test
    void createMakesNamespaceAndFoldersForPin() throws Exception {
        try (TestHost host = new TestHost(folder.resolve("a/b/net"))) {
            assertThat(host.json("ip -j link")).hasSize(1);
            assertThat(mounts()).anyMatch(line -> line.startsWith("nsfs " + host.pin));
        }
        assertThat(folder.resolve("a/b/net")).doesNotExist();
    }

    @Test
    void pinnedNamespaceKeepsLinksWhileNotHeld() throws Exception {
        Path pin = folder.resolve("net");
        try (Namespace made = Namespace.create(pin); Route route = Route.in(made)) {
            route.links().addBridge(new Bridge("br0", 1400, List.of()));
        }
        try (Namespace again = Namespace.open(pin).orElseThrow(); Route route = Route.in(again)) {
            assertThat(route.links().find("br0")).isPresent();
        }
        Namespace.unpin(pin);
    }

    @Test
    void openIsEmptyWithoutPinnedNamespace() throws Exception {
        Path plain = Files.createFile(folder.resolve("plain"));
        Path other = Files.createSymbolicLink(folder.resolve("other"), Path.of("/proc/self/ns/mnt"));
        assertThat(Namespace.open(plain)).isEmpty();
        assertThat(Namespace.open(other)).as("a namespace of another kind").isEmpty();
        assertThat(Namespace.open(folder.resolve("absent"))).isEmpty();
        assertThat(Namespace.open(folder.resolve("absent/net"))).isEmpty();
    }

    @Test
    void createPinsOverPlainFile() throws Exception {
        Path pin = Files.createFile(folder.resolve("net"));
        new TestHost(pin).close();
        assertThat(pin).doesNotExist();
    }

    @Test
    void createRefusesUsedPin() throws Exception {
        try (TestHost host = new TestHost(folder.resolve("net"))) {
            assertThatThrownBy(() -> Namespace.create(host.pin))
                    .isInstanceOf(KernelException.class)
                    .hasMessageContaining("EEXIST");
            assertThat(host.json("ip -j link")).hasSize(1);
        }
    }

    @Test
    void createLeavesNothingIfPinningFails() throws Exception {
        Path file = Files.createFile(folder.resolve("file"));
        int before = openFiles().size();
        assertThatThrownBy(() -> Namespace.create(file.resolve("net")))
                .isInstanceOf(KernelException.class)
                .hasMessageContaining(file.toString());
        Path loop = Files.createSymbolicLink(folder.resolve("loop"), folder.resolve("loop"));
        assertThatThrownBy(() -> Namespace.create(loop)).isInstanceOf(KernelException.class);
        assertThat(openFiles()).hasSize(before);
    }

    @Test
    void unpinCanBeRepeated() throws Exception {
        Path pin = folder.resolve("net");
        Namespace.create(pin).close();
        Namespace.unpin(pin);
        Namespace.unpin(pin);
        Namespace.unpin(Files.createFile(folder.resolve("plain")));
        Namespace.unpin(folder.resolve("absent/net"));
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void noThreadStaysInNamespace() throws Exception {
        String home = inode("/proc/self/ns/net");
        // Of earlier tests: the JDK's thread that waits for processes is of the namespace that started the first, and ends after a minute.
        List<String> before = threadsNotIn(home);
        try (TestHost host = new TestHost(folder.resolve("net"))) {
            assertThat(inode(host.pin.toString())).isNotEqualTo(home);
            assertThat(inode("/proc/thread-self/ns/net")).isEqualTo(home);
            // The thread that made it may take a moment to end.
            await().atMost(Duration.ofSeconds(5)).untilAsserted(() -> assertThat(threadsNotIn(home)).isSubsetOf(before));
        }
    }

    private static List<String> threadsNotIn(String namespace) throws Exception {
        List<String> elsewhere = new ArrayList<>();
        try (Stream<Path> threads = Files.list(Path.of("/proc/self/task"))) {
            for (Path thread : threads.toList()) {
                try {
                    if (!inode(thread + "/ns/net").equals(namespace)) {
                        elsewhere.add(thread.toString());
                    }
                } catch (NoSuchFileException ended) {
                    // between listing it and looking at it
                }
            }
        }
        return elsewhere;
    }

    @Test
    void ownOpensNamespaceOfProcess() throws Exception {
        try (Namespace own = Namespace.own(); Route route = Route.in(own)) {
            assertThat(own.within(() -> 7)).isEqualTo(7);
            assertThat(route.links().find("lo")).isPresent();
        }
    }

    @Test
    void closedNamespaceRefusesDescriptor() throws Exception {
        Namespace own = Namespace.own();
        own.close();
        own.close();
        assertThatThrownBy(own::fd).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void leaksNoDescriptors() throws Exception {
        new TestHost(folder.resolve("warm")).close();
        int before = openFiles().size();
        for (int i = 0; i < 20; i++) {
            try (TestHost host = new TestHost(folder.resolve("net" + i)); Xfrm xfrm = Xfrm.in(host.namespace)) {
                assertThat(xfrm.policies()).isEmpty();
            }
        }
        assertThat(openFiles()).hasSize(before);
    }
}
