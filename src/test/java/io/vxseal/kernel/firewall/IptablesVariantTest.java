package io.vxseal.kernel.firewall;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.firewall.Firewall.Transport;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class IptablesVariantTest {
    @TempDir
    Path folder;

    @Test
    void detectsVariantWithRulesOfHostAndEngine() throws Exception {
        try (TestHost host = new TestHost(folder.resolve("net"))) {
            assertThat(detected(host, Transport.IPV4)).isEqualTo("iptables-nft");
            assertThat(host.run("cat /proc/net/ip_tables_names")).as("detection made tables").isEmpty();
            host.run("iptables-legacy -w -A FORWARD -j ACCEPT");
            assertThat(detected(host, Transport.IPV4)).isEqualTo("iptables-legacy");
            host.run("iptables-nft -w -A FORWARD -j ACCEPT");
            assertThat(detected(host, Transport.IPV4)).isEqualTo("iptables-nft");
            host.run("iptables-legacy -w -N DOCKER");
            assertThat(detected(host, Transport.IPV4)).as("the engine's chains decide").isEqualTo("iptables-legacy");
            assertThat(detected(host, Transport.IPV6)).as("for IPv6, too").isEqualTo("ip6tables-legacy");
        }
    }

    private static String detected(TestHost host, Transport transport) throws FirewallException {
        return IptablesVariant.detect(transport, CommandRunner.in(host.namespace())).name();
    }
}
