package io.vxseal.page;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What anybody who reaches the listener can read of a node. */
class PageStateTest {
    private final SampleSwarm swarm = new SampleSwarm(9);

    private JsonNode trouble(int row) throws IOException {
        return new ObjectMapper().readTree(swarm.state()).path("nodes").path("entries").path(row).path("trouble");
    }

    @Test
    void namesServicesAndNodesButNoContainersAddressAndNoMac() {
        String state = new String(swarm.state(), StandardCharsets.UTF_8);
        assertThat(state).contains("shop_web", "\"10.0.1.9\"", "10.20.0.12", "\"here\":2", "\"tasks\":3")
                .doesNotContain("10.0.1.2\"", "10.0.1.2/", "10.0.1.51", "02:42", "ep1", "here10");
    }

    @Test
    void pathHasTheTroubleOfItsNodeOnce() throws IOException {
        swarm.conditions = List.of(SampleSwarm.silence(14));
        assertThat(trouble(1)).extracting(JsonNode::asText).containsExactly("path_silent");
        swarm.inTheWay = List.of("node 10.20.0.14: the kernel lacks ESP",
                "policy out 0.0.0.0/0 -> 10.0.0.0/8 priority 0 comes before those of node 10.20.0.14 and 3 more: raise it");
        assertThat(trouble(1)).extracting(JsonNode::asText).containsExactly("obstacle", "path_silent");
        assertThat(trouble(2)).isEmpty();
    }

    @Test
    void troubleOfOneAddressIsNotThatOfALongerOne() throws IOException {
        swarm.inTheWay = List.of("node 10.20.0.1: the kernel lacks ESP", "node fd00::12: the kernel lacks ESP");
        for (int row = 0; row < 9; row++) {
            assertThat(trouble(row)).isEmpty();
        }
    }
}
