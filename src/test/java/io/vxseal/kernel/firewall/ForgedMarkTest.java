package io.vxseal.kernel.firewall;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.kernel.TestHost;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A process sets the mark of encrypted networks' frames on its own packets. */
class ForgedMarkTest {
    private static final int MARK = 0x76d0c4e3;

    @TempDir
    Path folder;

    @Test
    void dropsDatagramsThatProcessMarksAsOurs() throws Exception {
        try (TestHost host = new TestHost(folder.resolve("host"));
                SealedPriority priority = SealedPriority.in(host.namespace, MARK)) {
            host.run("nft add table inet witness");
            host.run(List.of("nft", "add chain inet witness out { type filter hook output priority 0; }"));
            host.run("nft add rule inet witness out udp dport 4789 counter");
            assertThat(arrivals(host, MARK)).as("without the table: what this test would see").isEqualTo(1);
            priority.restore();
            assertThat(arrivals(host, MARK)).as("with our mark").isEqualTo(1);
            assertThat(priority.restore()).as("rules that have counted are right").isFalse();
            assertThat(priority.drops()).isEqualTo(new Drops(0, 1));
            assertThat(arrivals(host, 0xd0c4e3)).as("with another mark").isEqualTo(2);
        }
    }

    /** Returns how many datagrams have met the rules of the host, after another one with this mark. */
    private static int arrivals(TestHost host, int mark) {
        host.attempt(List.of("perl", "-MSocket", "-e", """
                socket(my $s, PF_INET, SOCK_DGRAM, 0) or die;
                setsockopt($s, SOL_SOCKET, 36, pack('I', %d)) or die;
                send($s, 'x' x 16, 0, sockaddr_in(4789, inet_aton('127.0.0.1')));
                """.formatted(mark)));
        var counter = Pattern.compile("counter packets (\\d+)").matcher(host.run("nft list table inet witness"));
        assertThat(counter.find()).isTrue();
        return Integer.parseInt(counter.group(1));
    }
}
