package io.vxseal.services;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.vxseal.StandardError;
import io.vxseal.address.Cidr;
import io.vxseal.kernel.TestHost;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tests of the proxy with containers' namespaces, in which a name server answers as the engine's does. */
class ServiceProxyTest {
    private static final String NETWORK = "x1tn53m6e8ylk0oz4cdq7vbw2";
    private static final String TABLE = "table ip vxseal-x1tn53m";
    private static final InetAddress VIP = address(9);
    private static final String TASK = "abcdefghijklmnopqrstuvwxy";

    @TempDir
    Path folder;

    private final List<AutoCloseable> opened = new ArrayList<>();
    private final Map<String, Set<InetAddress>> told = new ConcurrentHashMap<>();
    private ServiceProxy proxy;

    private static InetAddress address(int last) {
        return InetAddress.ofLiteral("10.0.1." + last);
    }

    @BeforeEach
    void open() throws Exception {
        Files.createDirectories(folder.resolve("netns"));
        proxy = withNetwork(false);
    }

    /** @param partial whether other nodes' endpoints may be unknown */
    private ServiceProxy withNetwork(boolean partial) throws Exception {
        return withNetwork(partial, "services.json", told::put);
    }

    private ServiceProxy withNetwork(boolean partial, String state, ServiceProxy.Listener listener) throws Exception {
        ServiceProxy some = opened(new ServiceProxy(folder.resolve("netns"), folder.resolve(state), listener));
        some.setPartial(partial);
        some.up(NETWORK, List.of(Cidr.parse("10.0.0.0/16")), List.of(address(1)), Map.of());
        some.start();
        return some;
    }

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable some : opened.reversed()) {
            some.close();
        }
    }

    private <T extends AutoCloseable> T opened(T some) {
        opened.add(some);
        return some;
    }

    private TestHost container(String name) throws Exception {
        return opened(new TestHost(folder.resolve("netns").resolve(name)));
    }

    /** Starts a name server that knows a service with a VIP and these tasks. */
    private EngineNames names(TestHost container, InetAddress... tasks) throws Exception {
        EngineNames names = opened(new EngineNames(container));
        tell(names, tasks);
        return names;
    }

    private static void tell(EngineNames names, InetAddress... tasks) {
        for (InetAddress task : tasks) {
            names.setName(task, "web.1." + TASK + ".my.net");
        }
        names.set("web.my.net", List.of(VIP));
        names.set("tasks.web.my.net", List.of(tasks));
    }

    private static void awaitRules(TestHost container, String... wanted) {
        await().atMost(Duration.ofSeconds(10)).untilAsserted(() ->
                assertThat(container.run("nft list ruleset")).contains(wanted));
    }

    @Test
    void containerGetsRulesOnceItsNamespaceAndNameServerAreThere() throws Exception {
        proxy.change(NETWORK, List.of(), Map.of(address(2), "a", address(3), "b"));
        proxy.attach(NETWORK, "a", "a", false);
        TestHost container = container("a");
        Thread.sleep(100);
        names(container, address(2), address(3));
        awaitRules(container, TABLE, "10.0.1.9 : goto v-10.0.1.9", "numgen random mod 2 map { 0 : 10.0.1.2, 1 : 10.0.1.3 }");
        assertThat(proxy.services()).containsExactly(new ServiceProxy.Service(
                NETWORK, "web", List.of(VIP), List.of(address(2), address(3)), List.of()));
        await().untilAsserted(() -> assertThat(told).containsEntry(NETWORK, Set.of(VIP)));
    }

    @Test
    void secondContainerHasRulesWhenAttachReturns() throws Exception {
        proxy.change(NETWORK, List.of(), Map.of(address(2), "a"));
        TestHost first = container("a");
        names(first, address(2));
        proxy.attach(NETWORK, "a", "a", false);
        awaitRules(first, TABLE);
        TestHost second = container("b");
        proxy.attach(NETWORK, "b", "b", false);
        assertThat(second.run("nft list ruleset")).contains("numgen random mod 1 map { 0 : 10.0.1.2 }");
    }

    @Test
    void tasksDrainAndLeaveAndServiceRefuses() throws Exception {
        proxy.change(NETWORK, List.of(), Map.of(address(2), "a", address(3), "b"));
        TestHost container = container("a");
        EngineNames names = names(container, address(2), address(3));
        proxy.attach(NETWORK, "a", "a", false);
        awaitRules(container, "mod 2");
        names.set("tasks.web.my.net", List.of(address(3)));
        awaitRules(container, "mod 1 map { 0 : 10.0.1.3 }");
        assertThat(proxy.services().getFirst().draining()).containsExactly(address(2));
        proxy.change(NETWORK, List.of(address(3)), Map.of());
        awaitRules(container, "elements = { 10.0.1.9 }");
        names.set("tasks.web.my.net", List.of());
        proxy.change(NETWORK, List.of(), Map.of(address(4), "c"));
        names.setName(address(4), "web.2." + TASK + ".my.net");
        names.set("tasks.web.my.net", List.of(address(4)));
        awaitRules(container, "mod 1 map { 0 : 10.0.1.4 }");
    }

    @Test
    void answerTooLongForDatagramIsReadOverTcp() throws Exception {
        Map<InetAddress, String> many = new HashMap<>();
        List<InetAddress> tasks = new ArrayList<>();
        for (int n = 0; n < 400; n++) {
            InetAddress task = InetAddress.ofLiteral("10.0.%d.%d".formatted(2 + n / 200, n % 200));
            tasks.add(task);
            many.put(task, "e" + n);
        }
        proxy.change(NETWORK, List.of(), many);
        TestHost container = container("a");
        names(container, tasks.toArray(InetAddress[]::new));
        proxy.attach(NETWORK, "e0", "a", false);
        awaitRules(container, "numgen random mod 400");
    }

    @Test
    void detachRemovesRules() throws Exception {
        proxy.change(NETWORK, List.of(), Map.of(address(2), "a"));
        TestHost container = container("a");
        names(container, address(2));
        proxy.attach(NETWORK, "a", "a", false);
        awaitRules(container, TABLE);
        proxy.detach(NETWORK, "a");
        assertThat(container.run("nft list ruleset")).isEmpty();
    }

    @Test
    void flushedRulesAreRepaired() throws Exception {
        proxy.change(NETWORK, List.of(), Map.of(address(2), "a"));
        TestHost container = container("a");
        names(container, address(2));
        proxy.attach(NETWORK, "a", "a", false);
        awaitRules(container, TABLE);
        assertThat(proxy.repair(NETWORK)).isZero();
        container.run("nft flush ruleset");
        assertThat(proxy.repair(NETWORK)).isEqualTo(1);
        assertThat(container.run("nft list ruleset")).contains(TABLE);
        assertThat(proxy.repair(NETWORK)).isZero();
    }

    @Test
    void laterProcessKeepsRulesAndFollowsWhatChangedMeanwhile() throws Exception {
        proxy.change(NETWORK, List.of(), Map.of(address(2), "a", address(3), "b"));
        TestHost container = container("a");
        EngineNames names = names(container, address(2), address(3));
        proxy.attach(NETWORK, "a", "a", false);
        awaitRules(container, "mod 2");
        proxy.close();
        assertThat(container.run("nft list ruleset")).contains("mod 2");

        tell(names, address(3), address(4));
        ServiceProxy later = withNetwork(true);
        later.attach(NETWORK, "a", "a", true);
        awaitRules(container, "mod 2 map { 0 : 10.0.1.3, 1 : 10.0.1.4 }");
        later.change(NETWORK, List.of(), Map.of(address(3), "b"));
        later.setPartial(false);
        awaitRules(container, "mod 1 map { 0 : 10.0.1.3 }");
    }

    /** Returns how often the log says this. */
    private static long lines(StandardError log, String what) {
        return log.said().lines().filter(line -> line.contains(what)).count();
    }

    /** The first network's work fails whenever it is due: one of its addresses cannot be asked for. */
    @Test
    void networkThatFailsIsLoggedOnceAndKeepsNoOtherFromItsTurn() throws Exception {
        StandardError log = opened(new StandardError());
        String failing = "a" + NETWORK.substring(1);
        proxy.up(failing, List.of(Cidr.parse("10.0.0.0/16")), List.of(address(1)), Map.of());
        Map<InetAddress, String> unaskable = new HashMap<>();
        unaskable.put(null, "x");
        proxy.change(failing, List.of(), unaskable);
        container("x");
        proxy.attach(failing, "x", "x", false);
        await().untilAsserted(() -> assertThat(log.said()).contains("NullPointerException"));

        proxy.change(NETWORK, List.of(), Map.of(address(2), "a"));
        TestHost container = container("a");
        names(container, address(2));
        proxy.attach(NETWORK, "a", "a", false);
        awaitRules(container, TABLE);
        // The failure is repeated after a second each.
        Thread.sleep(2500);
        assertThat(lines(log, "NullPointerException")).isOne();
        assertThat(log.said()).contains("cannot update the services of network " + failing);
    }

    @Test
    void vipsThatListenerFailedToTakeAreReportedAgain() throws Exception {
        StandardError log = opened(new StandardError());
        AtomicInteger failures = new AtomicInteger(2);
        ServiceProxy some = withNetwork(false, "other.json", (network, vips) -> {
            if (failures.getAndDecrement() > 0) {
                throw new IllegalStateException("not now");
            }
            told.put(network, vips);
        });
        some.change(NETWORK, List.of(), Map.of(address(2), "a"));
        TestHost container = container("a");
        names(container, address(2));
        some.attach(NETWORK, "a", "a", false);
        await().atMost(Duration.ofSeconds(20)).untilAsserted(() -> assertThat(told).containsEntry(NETWORK, Set.of(VIP)));
        assertThat(lines(log, "not now")).isOne();
    }

    /** The listener waits for the driver's lock, which a call may hold for seconds. */
    @Test
    void taskGetsNoNewConnectionsWhileListenerWaits() throws Exception {
        CountDownLatch driver = new CountDownLatch(1);
        ServiceProxy some = withNetwork(false, "other.json", (_, _) -> {
            try {
                driver.await();
            } catch (InterruptedException ended) {
                Thread.currentThread().interrupt();
            }
        });
        opened(driver::countDown);
        some.change(NETWORK, List.of(), Map.of(address(2), "a", address(3), "b"));
        TestHost container = container("a");
        EngineNames names = names(container, address(2), address(3));
        some.attach(NETWORK, "a", "a", false);
        awaitRules(container, "map { 0 : 10.0.1.2, 1 : 10.0.1.3 }");
        names.set("tasks.web.my.net", List.of(address(2)));
        awaitRules(container, "map { 0 : 10.0.1.2 }");
    }

    /** Returns the backend of a connection that connection tracking has, begun in the container to the VIP. */
    private static String backend(TestHost container) {
        return container.run("cat /proc/net/nf_conntrack").replaceFirst("(?s).*src=(10\\.0\\.1\\.\\d+) dst=\\S+ sport=9000.*", "$1");
    }

    /** The task drains first, as in an orderly stop, so the table has it no more when its endpoint leaves. */
    @Test
    void connectionOfTaskThatDrainedIsForgottenWhenItsEndpointLeaves() throws Exception {
        proxy.change(NETWORK, List.of(), Map.of(address(2), "a", address(3), "b"));
        TestHost container = container("a");
        container.run("ip link add eth0 type bridge");
        container.run("ip address add 10.0.1.2/24 dev eth0");
        container.run("ip link set eth0 up");
        EngineNames names = names(container, address(3));
        names.setName(address(2), "client.1." + TASK + ".my.net");
        proxy.attach(NETWORK, "a", "a", false);
        awaitRules(container, "map { 0 : 10.0.1.3 }");
        send(container);
        assertThat(backend(container)).isEqualTo("10.0.1.3");

        names.setName(address(4), "web.2." + TASK + ".my.net");
        names.set("tasks.web.my.net", List.of(address(4)));
        proxy.change(NETWORK, List.of(), Map.of(address(4), "c"));
        awaitRules(container, "map { 0 : 10.0.1.4 }");
        assertThat(backend(container)).isEqualTo("10.0.1.3");

        proxy.change(NETWORK, List.of(address(3)), Map.of());
        await().untilAsserted(() -> assertThat(container.run("cat /proc/net/nf_conntrack")).doesNotContain("10.0.1.3"));
    }

    private static void send(TestHost container) throws Exception {
        try (DatagramChannel channel = container.within(DatagramChannel::open)) {
            channel.send(ByteBuffer.wrap(new byte[] {'?'}), new InetSocketAddress(VIP, 9000));
        }
    }

    /** Another program owns the table, so that the kernel refuses to change it. */
    @Test
    void containerWhoseRulesAreRefusedIsToldAndGetsThemLater() throws Exception {
        StandardError log = opened(new StandardError());
        proxy.change(NETWORK, List.of(), Map.of(address(2), "a"));
        TestHost container = container("a");
        OwnedTable owned = opened(new OwnedTable(container, NetworkServices.table(NETWORK)));
        names(container, address(2));
        proxy.attach(NETWORK, "a", "a", false);
        String problem = "endpoint a: balance connections to services: EPERM (Operation not permitted)";
        await().untilAsserted(() -> assertThat(proxy.problems()).containsExactly(problem));
        proxy.repair(NETWORK);
        proxy.hurryNames();
        assertThat(lines(log, "the addresses of services do not answer in the container of endpoint a of network " + NETWORK
                + ", retrying: balance connections to services: EPERM (Operation not permitted)")).isOne();

        owned.close();
        await().atMost(Duration.ofSeconds(20)).untilAsserted(() -> {
            proxy.repair(NETWORK);
            proxy.hurryNames();
            assertThat(proxy.problems()).isEmpty();
        });
        awaitRules(container, "map { 0 : 10.0.1.2 }");
    }

    /** A process in a container that may change its rules has made the table its own. */
    @Test
    void containerThatRefusesRepairKeepsItFromNoOther() throws Exception {
        proxy.change(NETWORK, List.of(), Map.of(address(2), "a", address(3), "b"));
        List<TestHost> containers = List.of(container("a"), container("b"));
        for (TestHost container : containers) {
            names(container, address(2), address(3));
        }
        proxy.attach(NETWORK, "a", "a", false);
        proxy.attach(NETWORK, "b", "b", false);
        for (TestHost container : containers) {
            awaitRules(container, "map { 0 : 10.0.1.2, 1 : 10.0.1.3 }");
        }
        OwnedTable owned = opened(new OwnedTable(containers.getFirst(), NetworkServices.table(NETWORK)));
        containers.getLast().run("nft flush ruleset");
        assertThat(proxy.repair(NETWORK)).isEqualTo(1);
        awaitRules(containers.getLast(), "map { 0 : 10.0.1.2, 1 : 10.0.1.3 }");
        assertThat(proxy.problems()).containsExactly("endpoint a: balance connections to services: EPERM (Operation not permitted)");

        owned.close();
        await().atMost(Duration.ofSeconds(20)).untilAsserted(() -> {
            proxy.repair(NETWORK);
            proxy.hurryNames();
            assertThat(proxy.problems()).isEmpty();
        });
        awaitRules(containers.getFirst(), "map { 0 : 10.0.1.2, 1 : 10.0.1.3 }");
    }

    @Test
    void ruleThatAnotherProgramReplacedIsRepaired() throws Exception {
        proxy.change(NETWORK, List.of(), Map.of(address(2), "a"));
        TestHost container = container("a");
        names(container, address(2));
        proxy.attach(NETWORK, "a", "a", false);
        awaitRules(container, "map { 0 : 10.0.1.2 }");
        container.run("nft flush chain ip vxseal-x1tn53m v-10.0.1.9");
        container.run("nft add rule ip vxseal-x1tn53m v-10.0.1.9 dnat to numgen random mod 1 map { 0 : 10.0.1.66 }");
        assertThat(proxy.repair(NETWORK)).isEqualTo(1);
        assertThat(container.run("nft list ruleset")).contains("map { 0 : 10.0.1.2 }").doesNotContain("10.0.1.66");
        assertThat(proxy.repair(NETWORK)).isZero();
    }
}
