package io.vxseal.check.host;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.check.Finding;
import io.vxseal.kernel.libc.KernelClock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whether the clock is kept in step. What is wrong with one outside of a certificate is tested in {@code HostCheckTest}. */
class ClockCheckTest {
    /** Prints the status of adjtimex(2) by way of another language. */
    private static final String WITNESS = """
            import ctypes
            timex = (ctypes.c_long * 26)()
            ctypes.CDLL(None).adjtimex(timex)
            print(0 if timex[5] & 0x40 else 1)
            """;

    @Test
    void readsWhatTheKernelKnows() throws Exception {
        Process witness = new ProcessBuilder("python3", "-c", WITNESS).start();
        String expected = new String(witness.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        assertThat(KernelClock.isSynchronised()).isEqualTo(expected.equals("1"));
    }

    @Test
    void warnsOfClockThatNobodySynchronises() {
        assertThat(ClockCheck.judge(Optional.empty(), "no swarm", Instant.EPOCH, true)).matches(Finding::fit).matches(finding -> !finding.warns());
        assertThat(ClockCheck.judge(Optional.empty(), "no swarm", Instant.EPOCH, false)).matches(Finding::warns)
                .extracting(Finding::remedy).isEqualTo("timedatectl set-ntp true");
    }

    @Test
    void saysWhyThereIsNoCertificateToCompareWith(@TempDir Path swarm) throws Exception {
        assertThat(new ClockCheck(swarm).run()).singleElement().extracting(Finding::found).asString().contains("this engine is in no swarm");
        assertThat(new ClockCheck(swarm.resolve("none")).run()).singleElement().extracting(Finding::found).asString()
                .contains("there is no folder " + swarm.resolve("none"), "--data-root").doesNotContain("in no swarm");
    }
}
