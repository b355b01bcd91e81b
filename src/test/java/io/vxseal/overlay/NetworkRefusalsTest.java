package io.vxseal.overlay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vxseal.overlay.NetworkRefusals.Step;
import org.junit.jupiter.api.Test;

class NetworkRefusalsTest {
    private long nanos;
    private final NetworkRefusals refusals = new NetworkRefusals(() -> nanos);

    private void refuse(String network, DriverException refusal) {
        refuse(Step.JOIN, network, refusal);
    }

    private void refuse(Step step, String network, DriverException refusal) {
        assertThatThrownBy(() -> refusals.watch(step, network, () -> {
            throw refusal;
        })).isSameAs(refusal);
    }

    @Test
    void keepsLastRefusalUntilSuccess() throws Exception {
        refuse("one", DriverException.forbidden("no keys"));
        refuse("one", DriverException.conflict("VNI 7 is in use"));
        refuse("two", DriverException.forbidden("no keys"));
        assertThat(refusals.reasons()).containsOnlyKeys("one", "two").containsEntry("one", "VNI 7 is in use");
        assertThat(refusals.watch(Step.JOIN, "one", () -> "joined")).isEqualTo("joined");
        assertThat(refusals.reasons()).containsOnlyKeys("two");
    }

    /** The engine removes a network that no container could join, and creates it again when it tries again. */
    @Test
    void creationEndsNoRefusalToJoin() throws Exception {
        refuse(Step.CREATE, "one", DriverException.conflict("VNI 7 is in use"));
        refusals.watch(Step.CREATE, "one", () -> "created");
        assertThat(refusals.reasons()).isEmpty();
        refuse(Step.JOIN, "one", DriverException.forbidden("no keys"));
        refusals.watch(Step.CREATE, "one", () -> "created");
        assertThat(refusals.reasons()).containsEntry("one", "no keys");
        refuse(Step.CREATE, "two", DriverException.conflict("VNI 7 is in use"));
        refusals.watch(Step.JOIN, "two", () -> "joined");
        assertThat(refusals.reasons()).containsOnlyKeys("one");
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
