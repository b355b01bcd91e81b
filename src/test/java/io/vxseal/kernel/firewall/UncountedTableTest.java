package io.vxseal.kernel.firewall;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vxseal.kernel.TestHost;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Rules on a host whose nft refuses named counters, as it does where the kernel lacks them; all else it does. */
class UncountedTableTest {
    private static final Segment SEGMENT = new Segment(4789, 4097);

    @TempDir
    private Path folder;

    private TestHost host;

    @BeforeEach
    void open() throws Exception {
        host = new TestHost(folder.resolve("net"));
    }

    @AfterEach
    void close() throws Exception {
        host.close();
    }

    /** Returns a runner of nft that refuses rulesets with a word. */
    private CommandRunner refusing(String word) throws Exception {
        Path script = Files.writeString(folder.resolve("refusing"), """
                #!/bin/sh
                input=$(cat)
                case "$input" in *%s*) echo "Error: Could not process rule: No such file or directory" >&2; exit 1;; esac
                printf '%%s\\n' "$input" | "$@"
                """.formatted(word));
        Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwx------"));
        return new CommandRunner(host.namespace(), List.of(script.toString()));
    }

    @Test
    void dropsWithoutCountingWhereCountersAreRefused() throws Exception {
        try (NftablesFirewall firewall = new NftablesFirewall(refusing("counter"))) {
            firewall.protect(Set.of(SEGMENT));
            assertThat(host.run("nft list table inet vxseal")).contains("@segments drop").doesNotContain("counter");
            assertThat(firewall.drops().known()).isFalse();
            assertThat(firewall.restore(Set.of(SEGMENT))).as("nothing is wrong with such rules").isZero();
            host.run("nft delete table inet vxseal");
            assertThat(firewall.restore(Set.of(SEGMENT))).isEqualTo(1);
            assertThat(firewall.installed().segments()).containsExactly(SEGMENT);
        }
    }

    @Test
    void hasSameRulesWithAndWithoutCounters() {
        NftContent counted = NftablesRules.of(Set.of(SEGMENT));
        assertThat(counted.text()).contains("counter name dropped_in drop", "counter name dropped_out drop");
        assertThat(counted.uncounted().text())
                .isEqualTo(counted.text().replaceAll("counter name \\w+ ", "").replaceAll("counter \\w+ \\{ }\n", ""));
    }

    @Test
    void failsWhereRulesThemselvesAreRefused() throws Exception {
        try (NftablesFirewall firewall = new NftablesFirewall(refusing("ipsec"))) {
            assertThatThrownBy(() -> firewall.protect(Set.of(SEGMENT))).isInstanceOf(FirewallException.class)
                    .hasMessageContaining("ipsec");
        }
    }
}
