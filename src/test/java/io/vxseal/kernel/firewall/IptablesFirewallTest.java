package io.vxseal.kernel.firewall;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.firewall.Firewall.Transport;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests of the rules, read with iptables-save. */
class IptablesFirewallTest {
    private static final int PORT = 4789;
    private static final int VNI = 4097;
    private static final Segment SEGMENT = new Segment(PORT, VNI);
    private static final String PROGRAM =
            "9,177 0 0 0,128 0 0 0,20 0 0 16,61 0 3 0,64 0 0 12,116 0 0 8,21 0 1 4097,6 0 0 4294967295,6 0 0 0";
    private static final String JUMP = "-A INPUT -p udp -m udp --dport 4789 -j VXSEAL-INPUT";
    private static final String JUMP_OUT = "-A OUTPUT -p udp -m udp --dport 4789 -j VXSEAL-OUTPUT";
    private static final String OURS = "--pol ipsec --reqid 13681891 --proto esp --mode transport -j ";
    private static final String DROPPING =
            "-A VXSEAL-INPUT -p udp -m udp --dport 4789 -m bpf --bytecode \"" + PROGRAM + "\" -j DROP";
    private static final List<String> FILTER = List.of(
            JUMP,
            JUMP_OUT,
            "-A VXSEAL-INPUT -m policy --dir in " + OURS + "RETURN",
            DROPPING,
            "-A VXSEAL-OUTPUT -m owner --socket-exists -j DROP",
            "-A VXSEAL-OUTPUT -m policy --dir out " + OURS + "RETURN",
            DROPPING.replace("INPUT", "OUTPUT"));
    private static final List<String> MANGLE = List.of(
            JUMP_OUT, "-A VXSEAL-OUTPUT -m owner ! --socket-exists -m policy --dir out " + OURS + "ACCEPT");

    @TempDir
    Path folder;

    private TestHost host;

    @BeforeEach
    void open() throws Exception {
        host = new TestHost(folder.resolve("net"));
    }

    @AfterEach
    void close() throws Exception {
        host.close();
    }

    private IptablesFirewall firewall(String command) {
        return new IptablesFirewall(new IptablesCommand(Transport.IPV4, CommandRunner.in(host.namespace()), command));
    }

    /** Returns all rules of a table as its -save command prints them. */
    private List<String> rules(String command, String table) {
        return host.run(command + "-save -t " + table).lines().filter(l -> l.startsWith("-A")).toList();
    }

    @ParameterizedTest
    @ValueSource(strings = {"iptables-nft", "iptables-legacy", "iptables"})
    void makesRulesOnceAndRemovesAll(String command) throws Exception {
        IptablesFirewall firewall = firewall(command);
        firewall.protect(Set.of(SEGMENT));
        firewall.protect(Set.of(SEGMENT));
        firewall("iptables-legacy".equals(command) ? command : "iptables-nft").protect(Set.of(SEGMENT));
        assertThat(rules(command, "filter")).containsExactlyElementsOf(FILTER);
        assertThat(rules(command, "mangle")).containsExactlyElementsOf(MANGLE);

        firewall.unprotect(Set.of(SEGMENT));
        assertThat(host.run(command + "-save")).doesNotContain("-A ", "VXSEAL");
        firewall.unprotect(Set.of(SEGMENT));
    }

    @ParameterizedTest
    @ValueSource(strings = {"ip6tables-nft", "ip6tables-legacy"})
    void makesRulesForIpv6(String command) throws Exception {
        IptablesFirewall firewall = new IptablesFirewall(new IptablesCommand(Transport.IPV6, CommandRunner.in(host.namespace()), command));
        firewall.protect(Set.of(SEGMENT));
        firewall.protect(Set.of(SEGMENT));
        String program = VxlanMatch.bytecode(Transport.IPV6, VNI);
        assertThat(rules(command, "filter")).contains(
                DROPPING.replace(PROGRAM, program),
                "-A INPUT -m frag --fragfirst -j VXSEAL-FRAGMENTS",
                "-A OUTPUT -m frag --fragfirst -j VXSEAL-FRAGMENTS")
                .containsSubsequence(
                        "-A VXSEAL-FRAGMENTS ! -p udp -j RETURN",
                        "-A VXSEAL-FRAGMENTS -p udp -m udp --dport 1:65535 -j RETURN",
                        "-A VXSEAL-FRAGMENTS -j DROP");
        assertThat(rules(command, "mangle")).containsExactlyElementsOf(MANGLE);
        firewall.unprotect(Set.of(SEGMENT));
        assertThat(host.run(command + "-save")).doesNotContain("-A ", "VXSEAL");
    }

    @ParameterizedTest
    @ValueSource(strings = {"iptables-nft", "iptables-legacy"})
    void putsJumpAboveAcceptingRules(String command) throws Exception {
        String accept = "-A INPUT -p udp -m udp --dport 4789 -j ACCEPT";
        host.run(command + " -w " + accept);
        firewall(command).protect(Set.of(SEGMENT));
        assertThat(rules(command, "filter")).startsWith(JUMP, accept, JUMP_OUT);

        host.run(command + " -w " + accept.replace("-A", "-I"));
        firewall(command).protect(Set.of(SEGMENT));
        assertThat(rules(command, "filter")).startsWith(JUMP, accept, accept, JUMP_OUT);
    }

    /** Rules of others must not mark our datagrams. */
    @ParameterizedTest
    @ValueSource(strings = {"iptables-nft", "iptables-legacy"})
    void putsJumpAboveMarkingRules(String command) throws Exception {
        String mark = "-A OUTPUT -p udp -j MARK --set-xmark 0x1/0xffffffff";
        host.run(command + " -w -t mangle " + mark);
        firewall(command).protect(Set.of(SEGMENT));
        assertThat(rules(command, "mangle")).startsWith(JUMP_OUT, mark);
        host.run(command + " -w -t mangle " + mark.replace("-A", "-I"));
        assertThat(firewall(command).restore(Set.of(SEGMENT))).isEqualTo(1);
        assertThat(rules(command, "mangle")).startsWith(JUMP_OUT, mark, mark);
    }

    @ParameterizedTest
    @ValueSource(strings = {"iptables-nft", "iptables-legacy"})
    void unprotectRemovesOnlyRulesOfSegment(String command) throws Exception {
        host.run(command + " -w -A INPUT -s 192.0.2.1 -j DROP");
        IptablesFirewall firewall = firewall(command);
        firewall.protect(Set.of(SEGMENT, new Segment(PORT, VNI + 1)));
        firewall.unprotect(Set.of(SEGMENT));
        assertThat(rules(command, "filter"))
                .contains(JUMP, JUMP_OUT, DROPPING.replace("4097", "4098"))
                .contains("-A INPUT -s 192.0.2.1/32 -j DROP")
                .noneMatch(rule -> rule.contains("4097"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"iptables-nft", "iptables-legacy"})
    void unprotectRemovesCopies(String command) throws Exception {
        IptablesFirewall firewall = firewall(command);
        firewall.protect(Set.of(SEGMENT));
        host.run(List.of("bash", "-c", command + "-save | " + command + "-restore --noflush"));
        assertThat(rules(command, "mangle").stream().filter(JUMP_OUT::equals)).hasSize(2);
        firewall.unprotect(Set.of(SEGMENT));
        assertThat(host.run(command + "-save")).doesNotContain("-A ", "VXSEAL");
    }

    @Test
    void namesMissingCommand() {
        assertThatThrownBy(() -> firewall("iptables-of-nobody").protect(Set.of(SEGMENT)))
                .isInstanceOf(FirewallException.class)
                .hasMessageContaining("iptables-of-nobody")
                .hasMessageContaining("install the iptables package");
    }

    /** The kernel here lacks nothing, so a stand-in refuses as either variant did where an extension was missing. */
    @ParameterizedTest
    @CsvSource({
        "-m bpf, the bpf match: modprobe xt_bpf",
        "-m policy, the policy match: modprobe xt_policy",
        "-m owner, the owner match: modprobe xt_owner",
        "-m bpf|-m policy, the bpf match and the policy match: modprobe -a xt_bpf xt_policy",
        "-m bpf|-m policy|-m owner, modprobe -a nft_compat",
        "-m udp, the udp match: modprobe xt_tcpudp",
        "^\\*mangle, table mangle: modprobe nf_tables",
        "^\\*filter, table filter: modprobe nf_tables"
    })
    void namesModuleOfPartThatKernelLacks(String part, String remedy) throws Exception {
        for (String variant : List.of("nft", "legacy")) {
            Path standIn = folder.resolve("lacking-" + variant);
            standIn(standIn.getFileName() + "-save", "#!/bin/bash\nexec iptables-%s-save\n".formatted(variant));
            standIn(standIn.getFileName() + "-restore", """
                    #!/bin/bash
                    input=$(cat)
                    if ! grep -qE -e '%s' <<< "$input"; then
                        exec iptables-%s-restore "$@" <<< "$input"
                    fi
                    %s
                    """.formatted(part, variant, variant.equals("nft")
                            ? "echo 'line 2: RULE_APPEND failed (No such file or directory): rule in chain INPUT' >&2; exit 4"
                            : "echo 'iptables-restore: line 3 failed' >&2; exit 1"));
            String expected = variant.equals("nft")
                    ? remedy
                    : remedy.replaceAll("table (\\w+): modprobe nf_tables", "table $1: modprobe iptable_$1")
                            .replace("modprobe -a nft_compat", "modprobe -a xt_bpf xt_policy xt_owner");
            assertThatThrownBy(() -> firewall(standIn.toString()).protect(Set.of(SEGMENT)))
                    .isInstanceOf(FirewallException.class)
                    .hasMessageContaining("protect VNI 4097 on port 4789")
                    .hasMessageContaining(variant.equals("nft") ? "RULE_APPEND failed" : "line 3 failed")
                    .hasMessageContaining(expected);
            assertThat(rules("iptables-" + variant, "filter")).isEmpty();
            assertThat(rules("iptables-" + variant, "mangle")).isEmpty();
            assertThat(host.run("iptables-" + variant + "-save")).doesNotContain("VXSEAL");
        }
    }

    /** A stand-in makes the second table's commit fail. */
    @ParameterizedTest
    @ValueSource(strings = {"iptables-nft", "iptables-legacy"})
    void rollsBackFirstTableIfSecondIsRefused(String command) throws Exception {
        Path standIn = folder.resolve("halving");
        standIn("halving-save", "#!/bin/bash\nexec " + command + "-save\n");
        standIn("halving-restore", """
                #!/bin/bash
                sed '/mangle/,$d' | %s-restore "$@" || exit
                echo "iptables-restore: line 4 failed: owner" >&2
                exit 1
                """.formatted(command));
        assertThatThrownBy(() -> firewall(standIn.toString()).protect(Set.of(SEGMENT)))
                .isInstanceOf(FirewallException.class)
                .hasMessageContaining("line 4 failed");
        assertThat(rules(command, "filter")).isEmpty();
        assertThat(rules(command, "mangle")).isEmpty();
    }

    private void standIn(String name, String script) throws Exception {
        Path file = Files.writeString(folder.resolve(name), script);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwx------"));
    }
}
