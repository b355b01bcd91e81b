package io.vxseal.text;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class LineTest {
    @Test
    void replacesWhatTerminalsObeyAndDoNotShow() {
        assertThat(Line.visible("a\u001b[31mb\r\n\u202ec\u2028d\u2029e  f")).isEqualTo("a [31mb c d e  f");
    }

    @Test
    void keepsOneLineOfLimitedLength() {
        assertThat(Line.of(" a \n\t b ")).isEqualTo("a b");
        assertThat(Line.of("x".repeat(Line.LONGEST))).hasSize(Line.LONGEST).doesNotContain("…");
        assertThat(Line.of("x".repeat(Line.LONGEST + 1))).hasSize(Line.LONGEST).endsWith("…");
        assertThat(Line.of("x" + " ".repeat(3 * Line.LONGEST) + "y")).isEqualTo("x…");
    }
}
