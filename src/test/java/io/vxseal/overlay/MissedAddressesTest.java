package io.vxseal.overlay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.vxseal.address.Cidr;
import io.vxseal.kernel.TestHost;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MissedAddressesTest {
    @TempDir
    Path folder;

    @Test
    void callsOnceContainerAsksForAddressThatNothingHas() throws Exception {
        Cidr gateway = Cidr.parse("10.44.0.1/24");
        Network network = new Network("n1", false, 1450, List.of(new Subnet(gateway.network(), gateway, 4097)));
        AtomicInteger misses = new AtomicInteger();
        try (TestHost underlay = new TestHost(folder.resolve("underlay")); MissedAddresses watched = new MissedAddresses()) {
            Host host = new Host(underlay.namespace, underlay.route, folder.resolve("pins"), 4789);
            NetworkNamespace namespace = NetworkNamespace.create(network, host);
            try {
                namespace.build(InetAddress.ofLiteral("10.55.0.1"));
                watched.start(misses::incrementAndGet);
                watched.watch("n1", namespace);
                underlay.failure("nsenter --net=" + host.pins().resolve("n1") + " ping -c 1 -W 1 10.44.0.9");
                await("the miss").until(() -> misses.get() > 0);
            } finally {
                namespace.delete();
            }
        }
    }

    @Test
    void closeEndsThreadAndEpoll() throws Exception {
        long before = epolls();
        try (MissedAddresses watched = new MissedAddresses()) {
            watched.start(() -> {});
            assertThat(epolls()).isEqualTo(before + 1);
        }
        await("the end of the thread").atMost(Duration.ofSeconds(30)).until(() ->
                Thread.getAllStackTraces().keySet().stream().noneMatch(thread -> thread.getName().equals("vxseal-misses")));
        assertThat(epolls()).isEqualTo(before);
    }

    private static long epolls() throws IOException {
        long count = 0;
        try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
            for (Path descriptor : descriptors.toList()) {
                // The one of the list itself is closed by now.
                count += Files.isSymbolicLink(descriptor) && Files.readSymbolicLink(descriptor).toString().contains("[eventpoll]") ? 1 : 0;
            }
        }
        return count;
    }
}
