package io.vxseal.overlay;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.journal.Journal;
import org.junit.jupiter.api.Test;

class ErrorLogTest {
    private static final String ALPHABET = "abcdefghijklmnopqrstuvwxyz";

    private final ErrorLog errors = new ErrorLog(new Journal());

    @Test
    void keepsNewestFirstAndDropsOldest() {
        for (int i = 0; i < 25; i++) {
            errors.add("call", "failure " + ALPHABET.charAt(i));
        }
        assertThat(errors.last()).hasSize(10);
        assertThat(errors.last().getFirst().what()).isEqualTo("failure y");
        assertThat(errors.last().getLast().what()).isEqualTo("failure p");
    }

    @Test
    void countsRepeatedFailureInOneEntry() {
        errors.add("call", "once");
        for (int i = 0; i < 100; i++) {
            errors.add("repair", "again and again");
        }
        assertThat(errors.last()).extracting(ErrorLog.Entry::times).containsExactly(100L, 1L);
        errors.add("call", "once");
        assertThat(errors.last()).extracting(ErrorLog.Entry::what).containsExactly("once", "again and again");
    }

    @Test
    void ignoresNumbersAddressesAndIdsInKind() {
        for (int i = 0; i < 30; i++) {
            errors.add("/NetworkDriver.Join", ("could not join network %s0b1: add VXLAN device vx-00100%d with VNI %d: EEXIST,"
                    + " peer 10.0.%d.2 and fd00::%d, \"%s\"").formatted(ALPHABET.charAt(i % 20), i % 10, 4096 + i, i, i, ALPHABET.charAt(i % 20)));
        }
        assertThat(errors.last()).hasSize(1);
        assertThat(errors.last().getFirst().times()).isEqualTo(30);
        assertThat(errors.last().getFirst().what()).as("the last one's words").contains("VNI 4125", "10.0.29.2");
        errors.add("/NetworkDriver.Join", "encryption key is not present");
        errors.add("/NetworkDriver.Leave", "encryption key is not present");
        assertThat(errors.last()).as("other words, and another place").hasSize(3);
    }

    @Test
    void usesGivenKindWhateverTheMessage() {
        errors.add("repair of this host", "rules", "iptables-save: one");
        errors.add("repair of this host", "rules", "nft: something else");
        errors.add("repair of this host", "links", "nft: something else");
        assertThat(errors.last()).extracting(ErrorLog.Entry::times).containsExactly(1L, 2L);
        assertThat(errors.last().getLast().what()).isEqualTo("nft: something else");
    }

    /** As a tool gave back, that could not print a rule of somebody's. */
    @Test
    void shortensLongMessageToOneLine() {
        for (int rules = 1; rules <= 5; rules++) {
            errors.add("repair of this host", "list iptables rules failed with 1:\n"
                    + "\t-A FORWARD -s 10.0.0.0/8 -j ACCEPT\u001b[2J\r\n".repeat(rules * 10_000));
        }
        assertThat(errors.last()).hasSize(1);
        ErrorLog.Entry entry = errors.last().getFirst();
        assertThat(entry.times()).isEqualTo(5);
        assertThat(entry.what())
                .startsWith("list iptables rules failed with 1: -A FORWARD -s")
                .endsWith("…")
                .hasSizeLessThanOrEqualTo(300)
                .matches("[^\\p{Cntrl}]*");
        errors.add("x".repeat(1 << 20), null);
        assertThat(errors.last().getFirst().where()).hasSizeLessThanOrEqualTo(300);
        assertThat(errors.last().getFirst().what()).isEqualTo("null");
    }
}
