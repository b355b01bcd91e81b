package io.vxseal.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vxseal.cluster.node.SwarmInquiry;
import io.vxseal.cluster.record.NodeReport;
import io.vxseal.swarm.Role;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Questions for the reports of all nodes, over real sessions. */
class SwarmInquiryTest extends Hosts {
    private static SwarmInquiry.Answer ask(Host host) throws Exception {
        return host.cluster().inquire().get(20, TimeUnit.SECONDS);
    }

    /** Has a host report, under a name that is not its own. */
    private static void report(Host host, String version) {
        host.cluster().report(new NodeReport("somebody", Role.MANAGER, "", version, 1, 1, 2, 1, 0, 0, List.of("trouble of " + version)));
    }

    @Test
    void managersAndWorkersGetReportsOfAllNodes() throws Exception {
        Host a = host(1, Role.MANAGER);
        Host b = host(2, Role.WORKER);
        Host c = host(3, Role.MANAGER);
        assertThatThrownBy(() -> ask(b)).hasMessageContaining("reaches no manager's plugin");
        List.of(a, b, c).forEach(h -> h.start(a.at(), b.at(), c.at()));
        await("three members", () -> Stream.of(a, b, c).allMatch(h -> h.members() == 3));
        report(a, "1");
        report(b, "2");
        for (Host asking : List.of(a, b)) {
            SwarmInquiry.Answer answer = ask(asking);
            assertThat(answer.reports()).extracting(NodeReport::version).containsExactlyInAnyOrder("1", "2");
            assertThat(answer.reports()).extracting(NodeReport::node).doesNotContain("somebody").doesNotHaveDuplicates();
            assertThat(answer.reports()).extracting(NodeReport::role).containsExactlyInAnyOrder(Role.MANAGER, Role.WORKER);
            assertThat(answer.silent()).as("has nothing to report yet").hasSize(1);
        }
    }

    @Test
    void questionFailsWithTheSessionOfItsHub() {
        Host a = host(1, Role.MANAGER);
        Host b = host(2, Role.WORKER);
        List.of(a, b).forEach(h -> h.start(a.at(), b.at()));
        await("two members", () -> Stream.of(a, b).allMatch(h -> h.members() == 2));
        // The worker reports nothing, so the hub waits for it.
        var answer = b.cluster().inquire();
        a.cluster().close();
        assertThatThrownBy(() -> answer.get(20, TimeUnit.SECONDS)).hasMessageContaining("ended");
    }
}
