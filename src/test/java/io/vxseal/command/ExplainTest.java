package io.vxseal.command;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ExplainTest {
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int run(String line) {
        return Command.run(new PrintWriter(out, true), new PrintWriter(err, true), line.split(" "));
    }

    @Test
    void printsLineForEachDirectionAndTag() {
        assertThat(run("explain --local 10.0.0.1 --remote 10.0.0.2 --tag 1 --tag 4294967295")).isZero();
        assertThat(out.toString().lines())
                .hasSize(4)
                .startsWith("forward\t10.0.0.1\t10.0.0.2\t1\tf9c16827", "reverse\t10.0.0.2\t10.0.0.1\t1\t37213ca7");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "explain --local nowhere --remote 10.0.0.2 --tag 1",
                "explain --local 10.0.0.1 --remote 10.0.0.2 --tag -1",
                "explain --local 10.0.0.1 --remote 10.0.0.2 --tag 4294967296",
                "explain --local 10.0.0.1 --remote 10.0.0.2",
                "frobnicate"
            })
    void printsWrongArgumentsOnStandardError(String line) {
        assertThat(run(line)).isEqualTo(2);
        assertThat(out.toString()).isEmpty();
        assertThat(err.toString()).isNotEmpty();
    }
}
