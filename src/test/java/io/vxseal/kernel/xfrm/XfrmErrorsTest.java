package io.vxseal.kernel.xfrm;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.kernel.TestHost;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class XfrmErrorsTest {
    @TempDir
    private Path folder;

    @Test
    void countsWhatBlockPolicyOfNamespaceDropped() throws Exception {
        try (TestHost host = new TestHost(folder.resolve("host"))) {
            assertThat(XfrmErrors.in(host.namespace)).containsEntry("XfrmOutPolBlock", 0L);
            host.run("ip link add wire type veth peer name other");
            host.run("ip link set wire up");
            host.run("ip link set other up");
            host.run("ip address add 10.55.0.1/24 dev wire");
            host.run("ip xfrm policy add dir out src 10.55.0.1/32 dst 10.55.0.2/32 action block");
            assertThat(host.attempt(List.of("bash", "-c", "echo blocked > /dev/udp/10.55.0.2/9")).status()).isNotZero();
            assertThat(XfrmErrors.in(host.namespace).get("XfrmOutPolBlock")).isPositive();
        }
    }
}
