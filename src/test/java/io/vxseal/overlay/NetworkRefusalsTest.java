package io.vxseal.overlay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class NetworkRefusalsTest {
    private long nanos;
    private final NetworkRefusals refusals = new NetworkRefusals(() -> nanos);

    private void refuse(String network, DriverException refusal) {
        assertThatThrownBy(() -> refusals.watch(network, () -> {
            throw refusal;
        })).isSameAs(refusal);
    }

    @Test
    void keepsLastRefusalUntilSuccess() throws Exception {
        refuse("one", DriverException.forbidden("no keys"));
        refuse("one", DriverException.conflict("VNI 7 is in use"));
        refuse("two", DriverException.forbidden("no keys"));
        assertThat(refusals.reasons()).containsOnlyKeys("one", "two").containsEntry("one", "VNI 7 is in use");
        assertThat(refusals.watch("one", () -> "joined")).isEqualTo("joined");
        assertThat(refusals.reasons()).containsOnlyKeys("two");
    }

    @Test
    void endsWithRemovalOfNetwork() {
        refuse("one", DriverException.forbidden("no keys"));
        refusals.remove("one");
        assertThat(refusals.reasons()).isEmpty();
    }

    @Test
    void forgetsRefusalThatIsNotRepeated() {
        refuse("one", DriverException.forbidden("no keys"));
        nanos += NetworkRefusals.MEMORY.toNanos() - 1;
        assertThat(refusals.reasons()).containsOnlyKeys("one");
        nanos++;
        assertThat(refusals.reasons()).isEmpty();
    }

    @Test
    void ignoresCallThatIsWrongInItself() {
        refuse("one", DriverException.invalid("NetworkID", "one", "no such network on this node"));
        assertThat(refusals.reasons()).isEmpty();
    }
}
