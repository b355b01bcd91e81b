package io.vxseal.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the table is, read with nft, and what is said where the kernel cannot have it. */
class NftablesFirewallTest {
    private static final int PORT = 4789;
    private static final int MARK = 0xd0c4e3;

    @TempDir
    Path folder;

    private TestHost host;
    private NftablesFirewall firewall;

    @BeforeEach
    void open() throws Exception {
        host = new TestHost(folder.resolve("net"));
        firewall = new NftablesFirewall(PORT, MARK, new Tools(host.prefix()));
    }

    @AfterEach
    void close() throws Exception {
        host.close();
    }

    @Test
    void oneTableHoldsAll() throws Exception {
        firewall.protect(4097);
        firewall.protect(0xffffff);
        assertThat(host.run("nft list ruleset").replaceAll("\\s+", " ").replace("meta ipsec", "meta secpath").strip())
                .isEqualTo("table inet vxseal {"
                        + " set vnis { typeof @th,96,24 elements = { 0x1001, 0xffffff } }"
                        + " chain incoming { type filter hook input priority filter - 10; policy accept;"
                        + " udp dport 4789 @th,96,24 @vnis meta secpath missing drop }"
                        + " chain marking { type route hook output priority mangle; policy accept;"
                        + " udp dport 4789 @th,96,24 @vnis meta mark set 0x00d0c4e3 }"
                        + " chain outgoing { type filter hook output priority 300; policy accept;"
                        + " udp dport 4789 @th,96,24 @vnis rt ipsec missing drop } }");
    }

    /** More than nft prints on a line. */
    @Test
    void manyVnisAreReadBack() throws Exception {
        Set<Integer> many = IntStream.range(4097, 4397).boxed().collect(Collectors.toSet());
        assertThat(firewall.restore(many)).isEqualTo(300);
        assertThat(firewall.restore(many)).isZero();
        var afterARestart = new NftablesFirewall(PORT, MARK, new Tools(host.prefix()));
        afterARestart.unprotect(4100);
        assertThat(afterARestart.restore(many)).isEqualTo(1);
        assertThat(afterARestart.restore(many)).isZero();
    }

    /** The kernel here lacks nothing, so a stand-in refuses what has the part in it, as nft does. */
    @ParameterizedTest
    @CsvSource({
        "table, modprobe nf_tables",
        "typeof, modprobe nf_tables_set",
        "type filter, chains of type filter",
        "type route, chains of type route",
        "meta secpath, meta secpath",
        "rt ipsec, CONFIG_XFRM"
    })
    void partThatTheKernelLacksIsNamed(String part, String remedy) throws Exception {
        Path standIn = Files.writeString(folder.resolve("nft"), """
                #!/bin/bash
                [ "$1" != list ] || exec env -u PATH /usr/sbin/nft "$@"
                input=$(cat)
                grep -q '%s' <<< "$input" || exec env -u PATH /usr/sbin/nft "$@" <<< "$input"
                echo '/dev/stdin:1:1-9: Error: Could not process rule: No such file or directory' >&2
                exit 1
                """.formatted(part));
        Files.setPosixFilePermissions(standIn, PosixFilePermissions.fromString("rwx------"));
        var prefix = new ArrayList<>(host.prefix());
        prefix.addAll(List.of("env", "PATH=" + folder + ":/usr/sbin:/usr/bin:/sbin:/bin"));
        var lacking = new NftablesFirewall(PORT, MARK, new Tools(prefix));
        assertThatThrownBy(() -> lacking.protect(4097))
                .isInstanceOf(FirewallException.class)
                .hasMessageContaining("protect VNI 4097")
                .hasMessageContaining("Could not process rule")
                .hasMessageContaining(remedy);
        assertThat(host.run("nft list ruleset")).isEmpty();
    }
}
