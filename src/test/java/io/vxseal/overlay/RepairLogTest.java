package io.vxseal.overlay;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.StandardError;
import io.vxseal.journal.Journal;
import io.vxseal.kernel.libc.Errno;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.overlay.RepairLog.Outcome;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class RepairLogTest {
    private final ErrorLog errors = new ErrorLog(new Journal());
    private final RepairLog repairs = new RepairLog(errors, new Journal());
    private final StandardError log = new StandardError();

    @AfterEach
    void closeLog() {
        log.close();
    }

    private Outcome fails(String where, String why) {
        return repairs.attempt(RepairLog.Kind.RULES, where, () -> {
            throw new IOException(why);
        });
    }

    /** Returns how often the log says that something cannot be repaired. */
    private long logged() {
        return log.said().lines().filter(line -> line.contains("cannot repair")).count();
    }

    @Test
    void logsFailureOnceHoweverItsWordsChange() {
        for (int i = 0; i < 50; i++) {
            assertThat(fails("this host", "iptables-save failed with 1: rule " + i + "\n-A X -j Y" + i)).isEqualTo(Outcome.FAILED);
        }
        assertThat(logged()).isOne();
        assertThat(errors.last()).hasSize(1);
        assertThat(errors.last().getFirst().times()).isEqualTo(50);
        assertThat(log.said()).contains("rule 0 -A X");
    }

    @Test
    void logsOtherKindOtherPlaceAndFailureAfterSuccess() {
        fails("this host", "one thing");
        fails("this host", "another thing");
        fails("this host", "one thing");
        assertThat(logged()).as("kinds that take turns").isEqualTo(2);
        fails("network", "one thing");
        assertThat(logged()).isEqualTo(3);
        assertThat(repairs.attempt(RepairLog.Kind.RULES, "this host", () -> 0)).isEqualTo(Outcome.DONE);
        assertThat(log.said()).contains("sets of firewall rules of this host are correct again");
        fails("this host", "one thing");
        assertThat(logged()).isEqualTo(4);
    }

    @Test
    void limitsLoggedKindsPerPlace() {
        for (char c = 'a'; c <= 'z'; c++) {
            fails("this host", "failure " + c);
        }
        assertThat(logged()).isEqualTo(8);
    }

    private Outcome isInterrupted() {
        return repairs.attempt(RepairLog.Kind.RULES, "this host", () -> {
            throw DriverException.system("could not repair", new KernelException("list", Errno.EAGAIN, "it changed"));
        });
    }

    @Test
    void countsLastingInterruptionAsFailure() {
        for (int repair = 0; repair < RepairLog.MAX_INTERRUPTED; repair++) {
            assertThat(isInterrupted()).isEqualTo(Outcome.INTERRUPTED);
        }
        assertThat(isInterrupted()).isEqualTo(Outcome.FAILED);
        repairs.attempt(RepairLog.Kind.RULES, "this host", () -> 0);
        assertThat(isInterrupted()).isEqualTo(Outcome.INTERRUPTED);
    }

    @Test
    void countsInterruptionAfterFailureAsFailure() {
        fails("this host", "refused");
        assertThat(isInterrupted()).isEqualTo(Outcome.FAILED);
    }

    @Test
    void forgetsPlacesOfNetwork() {
        for (String where : List.of("network", "network in containers", "network2", "this host")) {
            fails(where, "one thing");
        }
        repairs.forget("network");
        for (String where : List.of("network", "network in containers")) {
            repairs.attempt(RepairLog.Kind.RULES, where, () -> 0);
        }
        assertThat(log.said()).doesNotContain("correct again");
        fails("network", "one thing");
        fails("network2", "one thing");
        fails("this host", "one thing");
        assertThat(logged()).isEqualTo(5);
    }

    @Test
    void forgetsInterruptionsOfNetwork() {
        fails("network", "refused");
        repairs.forget("network");
        assertThat(repairs.attempt(RepairLog.Kind.RULES, "network", () -> {
            throw new KernelException("list", Errno.EAGAIN, "it changed");
        })).isEqualTo(Outcome.INTERRUPTED);
    }

    @Test
    void logsUnexpectedErrorWithStackTrace() {
        Outcome outcome = repairs.attempt(RepairLog.Kind.LINKS, "network", () -> {
            throw new StackOverflowError("deep");
        });
        assertThat(outcome).isEqualTo(Outcome.FAILED);
        assertThat(log.said())
                .contains("cannot repair links of network")
                .contains("at io.vxseal.overlay.RepairLogTest");
        assertThat(errors.last().getFirst().what()).contains("java.lang.StackOverflowError: deep");
    }
}
