package io.vxseal.services;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.StandardError;
import io.vxseal.kernel.TestHost;
import java.nio.channels.Selector;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A network's services where a container's namespace is late or never comes. Time is the test's. */
class NetworkServicesTest {
    private static final long SECOND = KnownNetwork.SECOND;

    @TempDir
    Path folder;

    private Path path;
    private Selector selector;
    private NetworkServices services;

    @BeforeEach
    void open() throws Exception {
        path = folder.resolve("box");
        selector = Selector.open();
        services = new NetworkServices("x1tn53m6e8yl", KnownNetwork.catalogue(), selector, new NameQuestions());
    }

    @AfterEach
    void close() throws Exception {
        services.close();
        selector.close();
    }

    /** Serves a VIP and adds a container, whose table another program owns, ten seconds ago. */
    private void attachRefusing(boolean inherited) {
        KnownNetwork.serve(services.catalogue(), KnownNetwork.WEB, List.of(KnownNetwork.VIP), 2);
        services.attach("here", new Container(path, services.table(), inherited), 0);
        services.work(10 * SECOND);
        assertThat(services.problems()).hasSize(1);
    }

    @Test
    void missingNamespaceIsToldOnceAndForgottenWhenItComes() throws Exception {
        try (StandardError log = new StandardError()) {
            services.attach("here", new Container(path, services.table(), false), 0);
            services.work(60 * SECOND);
            assertThat(services.problems()).isEmpty();
            services.work(62 * SECOND);
            services.work(64 * SECOND);
            String problem = "no network namespace at " + path;
            assertThat(services.problems()).containsExactly("endpoint here: " + problem);
            assertThat(log.said().lines().filter(line -> line.contains(
                    "the addresses of services do not answer in the container of endpoint here of network x1tn53m6e8yl, retrying: "
                            + problem))).hasSize(1);
            try (TestHost _ = new TestHost(path)) {
                services.work(66 * SECOND);
                assertThat(services.problems()).isEmpty();
            }
        }
    }

    /** As gVisor does after the engine has attached the container. */
    @Test
    void containerWhoseLinksLoseTheirAddressesIsToldOnceWhileItStarts() throws Exception {
        try (TestHost host = new TestHost(path); StandardError log = new StandardError()) {
            host.run("ip link add eth0 type veth peer name other");
            host.run("ip address add 10.0.1.2/24 dev eth0");
            host.run("ip link set eth0 up");
            services.attach("here", new Container(path, services.table(), false), 0);
            services.repair(4 * SECOND);
            assertThat(services.problems()).isEmpty();
            host.run("ip address del 10.0.1.2/24 dev eth0");
            services.repair(8 * SECOND);
            services.repair(12 * SECOND);
            assertThat(services.problems()).hasSize(1).first().asString().startsWith("endpoint here: no link").contains("gVisor");
            assertThat(log.said().lines().filter(line -> line.contains("container of endpoint here of network x1tn53m6e8yl: no link"))).hasSize(1);
            host.run("ip address add 10.0.1.2/24 dev eth0");
            services.repair(600 * SECOND);
            assertThat(services.problems()).isEmpty();
            host.run("ip address del 10.0.1.2/24 dev eth0");
            services.repair(604 * SECOND);
            assertThat(services.problems()).as("by the container itself, long after its start").isEmpty();
        }
    }

    /** It may refuse for as long as it lives, and the others are not concerned. */
    @Test
    void containerThatRefusesRulesDoesNotKeepVipsUnconfirmed() throws Exception {
        try (TestHost host = new TestHost(path)) {
            try (OwnedTable _ = new OwnedTable(host, services.table())) {
                attachRefusing(true);
                assertThat(services.isUnconfirmed()).isFalse();
                assertThat(services.vips()).containsExactly(KnownNetwork.VIP);
            }
        }
    }

    /** Another program owns the table. Each question's answer would be a reason to try, and a container may refuse for ever. */
    @Test
    void refusedTableIsTriedAgainAfterPausesThatGrow() throws Exception {
        try (TestHost host = new TestHost(path)) {
            try (OwnedTable _ = new OwnedTable(host, services.table())) {
                attachRefusing(false);
            }
            services.add(KnownNetwork.address(3), "other", 11 * SECOND);
            assertThat(services.work(14 * SECOND)).isLessThanOrEqualTo(15 * SECOND);
            assertThat(services.problems()).hasSize(1);
            services.work(15 * SECOND);
            assertThat(services.problems()).isEmpty();
        }
    }
}
