package io.vxseal.services;

import static io.vxseal.services.KnownNetwork.SECOND;
import static io.vxseal.services.KnownNetwork.VIP;
import static io.vxseal.services.KnownNetwork.WEB;
import static io.vxseal.services.KnownNetwork.address;
import static io.vxseal.services.KnownNetwork.task;
import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.kernel.TestHost;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.channels.Selector;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Questions over real sockets, at times that the test gives. */
class InquiryTest {
    private static final InetSocketAddress ENGINE = new InetSocketAddress(InetAddress.ofLiteral("127.0.0.11"), 53);

    @TempDir
    Path folder;

    /**
     * Some engines answer no question that the name servers outside did not answer. It is asked from within another container after
     * three seconds, which is no reason to ask about a service that is gone each time.
     */
    @Test
    void silentNameServerIsAskedEverMoreRarely() throws Exception {
        Catalogue catalogue = KnownNetwork.catalogue();
        catalogue.add(address(2), "a", 0);
        catalogue.name(address(2), task("web", 1), 0);
        catalogue.addresses(WEB, List.of(VIP), 0);
        catalogue.tasks(WEB, List.of(address(2)), 0, 0);
        int asked = 0;
        try (TestHost container = new TestHost(folder.resolve("a"));
                Selector selector = Selector.open();
                Inquiry inquiry = new Inquiry(catalogue, selector, new NameQuestions());
                DatagramChannel silent = container.within(() -> DatagramChannel.open().bind(ENGINE))) {
            silent.configureBlocking(false);
            for (long now = 0; now < 600 * SECOND; now += SECOND / 2) {
                inquiry.ask(Map.of("a", container.namespace()), now);
                while (silent.receive(ByteBuffer.allocate(4096)) != null) {
                    asked++;
                }
            }
        }
        assertThat(asked).isBetween(10, 100);
    }
}
