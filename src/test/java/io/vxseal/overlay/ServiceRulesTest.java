package io.vxseal.overlay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.vxseal.address.Cidr;
import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.route.Route;
import io.vxseal.services.EngineNames;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Rules for services in a container, from Join to Leave through the driver. The container's name server is in its namespace. */
class ServiceRulesTest {
    private static final String NETWORK = "abcdefgh";
    private static final String TABLE = "table ip vxseal-abcdefg";
    private static final String CHOICE = "map { 0 : 10.44.0.2 }";
    private static final InetAddress HERE = InetAddress.ofLiteral("10.55.0.1");
    private static final InetAddress TASK = InetAddress.ofLiteral("10.44.0.2");
    private static final InetAddress VIP = InetAddress.ofLiteral("10.44.0.9");

    @TempDir
    Path folder;

    private Path sandboxes;
    private TestHost host;
    private TestHost container;
    private EngineNames names;
    private Driver driver;

    @BeforeEach
    void join() throws Exception {
        sandboxes = Files.createDirectories(folder.resolve("sandboxes"));
        host = new TestHost(folder.resolve("host"));
        container = new TestHost(sandboxes.resolve("box"));
        names = new EngineNames(container);
        names.setName(TASK, "web.1.abcdefghijklmnopqrstuvwxy.my.net");
        names.set("web.my.net", List.of(VIP));
        names.set("tasks.web.my.net", List.of(TASK));
        driver = parts(true).start(HERE);
        driver.createNetwork(DriverParts.network(NETWORK, 4242, false));
        driver.createEndpoint(NETWORK, "here", Cidr.parse("10.44.0.2/24"), Optional.empty());
        driver.join(NETWORK, "here", "box");
        await().atMost(Duration.ofSeconds(10)).untilAsserted(() -> assertThat(rules()).contains(TABLE, CHOICE));
    }

    @AfterEach
    void close() throws Exception {
        driver.close();
        names.close();
        Namespace.unpin(parts(false).pin(NETWORK));
        container.close();
        host.close();
    }

    private DriverParts parts(boolean services) {
        return new DriverParts(host, folder).services(services, sandboxes);
    }

    private String rules() {
        return container.run("nft list ruleset");
    }

    @Test
    void leaveRemovesRules() throws Exception {
        driver.leave(NETWORK, "here");
        assertThat(rules()).isEmpty();
    }

    @Test
    void noNameIsAskedForFromLeaveToDeletion() throws Exception {
        AtomicInteger asked = new AtomicInteger();
        names.beforeName(asked::incrementAndGet);
        driver.createEndpoint(NETWORK, "nameless", Cidr.parse("10.44.0.3/24"), Optional.empty());
        driver.createEndpoint(NETWORK, "leaving", Cidr.parse("10.44.0.4/24"), Optional.empty());
        driver.join(NETWORK, "nameless", "");
        driver.join(NETWORK, "leaving", "");
        await().until(() -> asked.get() > 3);
        driver.leave(NETWORK, "leaving");
        int before = asked.get();
        Thread.sleep(500);
        assertThat(asked).hasValue(before);
        driver.deleteEndpoint(NETWORK, "leaving");
        await().until(() -> asked.get() > before);
    }

    private String neighbours() throws Exception {
        Optional<Namespace> network = Namespace.open(parts(false).pin(NETWORK));
        try (Namespace opened = network.orElseThrow(); Route route = Route.in(opened)) {
            return route.neighbours().listUnforwarded("vx-001092-abcde").toString();
        }
    }

    @Test
    void laterProcessKeepsRulesAndLeaveRemovesThem() throws Exception {
        driver.close();
        driver = parts(true).start(HERE);
        assertThat(rules()).contains(TABLE, CHOICE);
        driver.leave(NETWORK, "here");
        assertThat(rules()).isEmpty();
    }

    @Test
    void laterProcessWithServicesOffRemovesRules() throws Exception {
        driver.close();
        assertThat(rules()).contains(TABLE, CHOICE);
        assertThat(neighbours()).contains("10.44.0.9");
        driver = parts(false).start(HERE);
        assertThat(rules()).isEmpty();
        assertThat(neighbours()).isEqualTo("[]");
    }

    @Test
    void laterProcessTellsOfEndpointWhoseNamespaceItDoesNotFindUntilItLeaves() throws Exception {
        driver.createEndpoint(NETWORK, "lost", Cidr.parse("10.44.0.3/24"), Optional.empty());
        driver.join(NETWORK, "lost", "");
        driver.close();
        driver = parts(true).start(HERE);
        assertThat(driver.status().withoutServices()).containsExactly("endpoint lost: its network namespace was not found");
        driver.leave(NETWORK, "lost");
        assertThat(driver.status().withoutServices()).isEmpty();
    }

    @Test
    void laterProcessRemovesNeighbourOfVipThatServiceHasNoMore() throws Exception {
        await().untilAsserted(() -> assertThat(neighbours()).contains("10.44.0.9"));
        driver.close();
        names.set("web.my.net", List.of(InetAddress.ofLiteral("10.44.0.10")));
        driver = parts(true).start(HERE);
        await().untilAsserted(() -> assertThat(neighbours()).contains("10.44.0.10").doesNotContain("10.44.0.9"));
    }

    @Test
    void rulesThatAnotherProgramRemovedAreBackAfterRepair() {
        container.run("nft flush ruleset");
        driver.repair();
        assertThat(rules()).contains(TABLE, CHOICE);
    }
}
