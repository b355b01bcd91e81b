package io.vxseal.kernel.firewall;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vxseal.kernel.TestHost;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Tests of the table, read with nft, and of errors where the kernel lacks a part. */
class NftablesFirewallTest {
    private static final int PORT = 4789;
    private static final Segment SEGMENT = new Segment(PORT, 4097);

    @TempDir
    Path folder;

    private TestHost host;
    private NftablesFirewall firewall;

    @BeforeEach
    void open() throws Exception {
        host = new TestHost(folder.resolve("net"));
        firewall = new NftablesFirewall(CommandRunner.in(host.namespace()));
    }

    @AfterEach
    void close() throws Exception {
        host.close();
    }

    @Test
    void makesOneTableForAllSegments() throws Exception {
        firewall.protect(Set.of(SEGMENT, new Segment(4790, 0xffffff)));
        String in = Stream.iterate(0, n -> n + 1).limit(6)
                .map(n -> " ipsec in" + (n == 0 ? "" : " spnum " + n) + " reqid 13681891 return")
                .collect(Collectors.joining());
        assertThat(host.run("nft list ruleset").replaceAll("\\s+", " ").strip())
                .isEqualTo("table inet vxseal {"
                        + " counter dropped_in { packets 0 bytes 0 }"
                        + " counter dropped_out { packets 0 bytes 0 }"
                        + " set segments { typeof udp dport . @th,96,24 elements = { 4789 . 0x1001, 4790 . 0xffffff } }"
                        + " set ports { type inet_service elements = { 4789, 4790 } }"
                        + " chain unsealed_in { udp dport . @th,96,24 @segments counter name \"dropped_in\" drop"
                        + " @th,96,24 0x0 return @th,96,24 != 0x0 return counter name \"dropped_in\" drop }"
                        + " chain unsealed_out { udp dport . @th,96,24 @segments counter name \"dropped_out\" drop"
                        + " @th,96,24 0x0 return @th,96,24 != 0x0 return counter name \"dropped_out\" drop }"
                        + " chain fragments_in { meta l4proto != udp return udp dport != 0 return counter name \"dropped_in\" drop }"
                        + " chain fragments_out { meta l4proto != udp return udp dport != 0 return counter name \"dropped_out\" drop }"
                        + " chain arriving {" + in + " goto unsealed_in }"
                        + " chain leaving { meta skuid != 4294967295 counter name \"dropped_out\" drop"
                        + in.replace("ipsec in", "ipsec out") + " goto unsealed_out }"
                        + " chain incoming { type filter hook input priority filter - 10; policy accept;"
                        + " udp dport @ports jump arriving frag frag-off 0 jump fragments_in }"
                        + " chain outgoing { type filter hook output priority 300; policy accept;"
                        + " udp dport @ports jump leaving frag frag-off 0 jump fragments_out } }");
    }

    /** More than nft prints on a line. */
    @Test
    void readsBackManySegments() throws Exception {
        Set<Segment> many =
                IntStream.range(4097, 4397).mapToObj(vni -> new Segment(PORT + vni % 2, vni)).collect(Collectors.toSet());
        assertThat(firewall.restore(many)).isEqualTo(300);
        assertThat(firewall.restore(many)).isZero();
        var afterARestart = new NftablesFirewall(CommandRunner.in(host.namespace()));
        assertThat(afterARestart.installed().segments()).isEqualTo(many);
        afterARestart.unprotect(Set.of(new Segment(PORT, 4100)));
        assertThat(afterARestart.restore(many)).isEqualTo(1);
        assertThat(afterARestart.restore(many)).isZero();
    }

    /** A listing that failed was taken for an empty one, and the segments in the table were opened. */
    @Test
    void doesNotReplaceUnreadableTable() throws Exception {
        firewall.protect(Set.of(SEGMENT));
        String before = host.run("nft -a list ruleset");
        // The kernel cannot be asked any more.
        firewall.close();
        assertThatThrownBy(() -> firewall.protect(Set.of(new Segment(PORT, 5000))))
                .isInstanceOf(FirewallException.class)
                .hasMessageContaining("socket was closed");
        assertThatThrownBy(() -> firewall.restore(Set.of())).isInstanceOf(FirewallException.class);
        assertThat(host.run("nft -a list ruleset")).isEqualTo(before);
    }

    private NftablesFirewall withNft(String script) throws Exception {
        Path standIn = Files.writeString(folder.resolve("nft"), "#!/bin/bash\n" + script);
        Files.setPosixFilePermissions(standIn, PosixFilePermissions.fromString("rwx------"));
        return new NftablesFirewall(new CommandRunner(
                host.namespace(), List.of("env", "PATH=" + folder + ":/usr/sbin:/usr/bin:/sbin:/bin")));
    }

    /** The kernel here lacks nothing, so a stand-in refuses what has the part in it, as nft does. */
    @ParameterizedTest
    @CsvSource({
        "table, modprobe nf_tables",
        "typeof, modprobe nf_tables_set",
        "type filter, chains of type filter",
        "ipsec in, modprobe nft_xfrm",
        "meta skuid, meta skuid",
        "frag frag-off, lacks \"frag\""
    })
    void namesPartThatKernelLacks(String part, String remedy) throws Exception {
        NftablesFirewall lacking = withNft("""
                input=$(cat)
                grep -q '%s' <<< "$input" || exec env -u PATH /usr/sbin/nft "$@" <<< "$input"
                echo '/dev/stdin:1:1-9: Error: Could not process rule: No such file or directory' >&2
                exit 1
                """.formatted(part));
        assertThatThrownBy(() -> lacking.protect(Set.of(SEGMENT)))
                .isInstanceOf(FirewallException.class)
                .hasMessageContaining("protect VNI 4097")
                .hasMessageContaining("Could not process rule")
                .hasMessageContaining(remedy);
        assertThat(host.run("nft list ruleset")).isEmpty();
    }
}
