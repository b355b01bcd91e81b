package io.vxseal.encryption;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.address.NodeAddresses;
import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.xfrm.Xfrm;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TallyTest {
    private static final InetAddress HERE = InetAddress.ofLiteral("10.55.0.1");

    @TempDir
    private Path folder;

    @Test
    void installedShowsWhatIsMissingAndOnlyRepairRestoresIt() throws Exception {
        try (TestHost host = new TestHost(folder.resolve("host"))) {
            Encryption encryption = new Encryption(Xfrm.in(host.namespace()), 4789, EspProbe::check);
            Tally none = new Tally(0, 0);
            Tally block = new Tally(0, 1);
            assertThat(encryption.wanted()).isEqualTo(none);

            encryption.addresses(new NodeAddresses(HERE, HERE));
            encryption.nodes(Set.of(), true);
            assertThat(encryption.wanted()).isEqualTo(block);
            assertThat(encryption.installed()).isEqualTo(block);

            host.run("ip xfrm policy flush");
            assertThat(encryption.installed()).isEqualTo(none);
            encryption.nodes(Set.of(), true);
            assertThat(encryption.installed()).isEqualTo(none);
            assertThat(encryption.wanted()).isEqualTo(block);
            assertThat(encryption.repair()).isEqualTo(1);
            assertThat(encryption.installed()).isEqualTo(block);
        }
    }
}
