package io.vxseal.check;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

class PortCheckTest {
    private static final InetAddress LOOPBACK = InetAddress.ofLiteral("127.0.0.1");

    @Test
    void tellsManagersThatAreReachedFromOthers() throws Exception {
        int port;
        try (ServerSocket hub = new ServerSocket(0, 5, LOOPBACK)) {
            port = hub.getLocalPort();
            assertThat(new PortCheck(port, Duration.ofSeconds(5)).run(List.of(LOOPBACK))).singleElement().matches(Finding::fit);
        }
        assertThat(new PortCheck(port, Duration.ofSeconds(5)).run(List.of(LOOPBACK))).singleElement().satisfies(finding -> {
            assertThat(finding.fit()).isFalse();
            assertThat(finding.found()).contains("127.0.0.1", String.valueOf(port), "refused");
            assertThat(finding.remedy()).contains("open TCP port " + port);
        });
    }
}
