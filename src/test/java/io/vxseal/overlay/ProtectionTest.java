package io.vxseal.overlay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vxseal.StandardError;
import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.address.NodeAddresses;
import io.vxseal.cluster.PeerChange;
import io.vxseal.journal.Event;
import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.firewall.Drops;
import io.vxseal.kernel.firewall.Firewall;
import io.vxseal.kernel.firewall.FirewallDetector;
import io.vxseal.kernel.firewall.Segment;
import io.vxseal.kernel.monitor.KernelMonitor;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.route.Route;
import io.vxseal.peers.Peer;
import java.io.IOException;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Protection of encrypted networks across lost state, changed settings and addresses. Needs no ESP: it checks rules and policies. */
class ProtectionTest {
    private static final int PORT = DriverParts.PORT;
    private static final int OTHER_PORT = 4801;
    private static final int VNI = 4242;
    private static final String NETWORK = "abcdefgh";
    private static final String DEVICE = "vx-001092-abcde";
    private static final InetAddress HERE = InetAddress.ofLiteral("10.55.0.1");
    private static final InetAddress THERE = InetAddress.ofLiteral("10.55.0.2");

    /** Longest wait for an event; there is no periodic repair in these tests. */
    private static final Duration LONG = Duration.ofSeconds(5);

    private static final Duration SHORT = Duration.ofMillis(50);

    /** File that makes each firewall command of the plugin fail while it exists. */
    private static final String NO_FIREWALL = "no-firewall";

    @TempDir
    Path folder;

    private Firewall.Backend backend = Firewall.Backend.NFTABLES;
    private TestHost host;
    private KernelMonitor monitor;
    private Driver driver;

    @BeforeEach
    void open() throws Exception {
        host = new TestHost(folder.resolve("host"));
        monitor = KernelMonitor.in(host.namespace());
        start(PORT, "run");
    }

    @AfterEach
    void close() throws Exception {
        driver.close();
        monitor.close();
        for (String run : List.of("run", "elsewhere")) {
            if (Files.isDirectory(folder.resolve(run + "/netns"))) {
                try (Stream<Path> pins = Files.list(folder.resolve(run + "/netns"))) {
                    for (Path pin : pins.toList()) {
                        Namespace.unpin(pin);
                    }
                }
            }
        }
        host.close();
    }

    /** Starts a process of the plugin, up to the engine's first call. */
    private void recover(int port, String run) throws Exception {
        driver = new DriverParts(host, folder)
                .port(port).run(run).monitor(monitor).firewall(backend, firewall()).driver();
        driver.recover();
    }

    /** Returns the words before each firewall command of the plugin. */
    private List<String> firewall() throws IOException {
        Path script = Files.writeString(folder.resolve("firewall"), """
                if [ -e %s ]; then
                    echo 'no firewall works' >&2
                    exit 1
                fi
                exec "$@"
                """.formatted(folder.resolve(NO_FIREWALL)));
        return List.of("sh", script.toString());
    }

    private void start(int port, String run) throws Exception {
        recover(port, run);
        driver.self(new NodeAddresses(HERE, HERE));
    }

    private Path pin() {
        return folder.resolve("run/netns").resolve(NETWORK);
    }

    private void serve() throws Exception {
        driver.createNetwork(DriverParts.network(NETWORK, VNI, true));
        keys();
        driver.createEndpoint(NETWORK, "here", Cidr.parse("10.44.0.2/24"), Optional.empty());
        driver.join(NETWORK, "here", "container");
        driver.peersChanged(List.of(new PeerChange.Added(DriverParts.peer(NETWORK, "there", "10.44.0.3", THERE))));
    }

    private void keys() throws DriverException {
        driver.initialKeys(DriverParts.keys());
    }

    private String inside(String command) {
        return host.run("nsenter --net=" + pin() + " " + command);
    }

    private boolean isProtected(int port) throws Exception {
        return new FirewallDetector(Firewall.Backend.NFTABLES, host.namespace(), List.of()).detect(Firewall.Transport.IPV4)
                .installed().segments().contains(new Segment(port, VNI));
    }

    private boolean isBlocked() {
        return host.run("ip xfrm policy").contains("action block");
    }

    private void delete(String name) throws Exception {
        try (Stream<Path> files = Files.walk(folder.resolve(name))) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }

    @Test
    void protectsNetworkBeforeItsFirstDevice() throws Exception {
        Network network = DriverParts.network(NETWORK, VNI, true);
        List<String> missing = new ArrayList<>();
        AtomicBoolean marked = new AtomicBoolean();
        driver.createNetwork(new Network(NETWORK, true, network.linkMtu(), new AbstractList<>() {
            // The frames are marked and there is no device: the first one is about to be added.
            @Override
            public Subnet get(int index) {
                if (!marked.get() && Files.exists(pin()) && inside("nft list tables").contains("table bridge vxseal")) {
                    marked.set(true);
                    missing.addAll(missingProtection());
                }
                return network.subnets().getFirst();
            }

            @Override
            public int size() {
                return 1;
            }
        }));
        keys();
        driver.createEndpoint(NETWORK, "here", Cidr.parse("10.44.0.2/24"), Optional.empty());
        driver.join(NETWORK, "here", "container");
        assertThat(marked).isTrue();
        assertThat(missing).isEmpty();
        assertThat(inside("ip -o link show " + DEVICE)).contains("UP");
    }

    /** Returns the parts of the protection that are not in force. */
    private List<String> missingProtection() {
        List<String> missing = new ArrayList<>();
        try {
            if (!isProtected(PORT)) {
                missing.add("rules");
            }
        } catch (Exception failure) {
            throw new AssertionError(failure);
        }
        if (!isBlocked()) {
            missing.add("block policy");
        }
        if (!host.run("nft list tables").contains("vxseal-priority")) {
            missing.add("priority table");
        }
        if (inside("ip -o link").contains(DEVICE)) {
            missing.add("time before the first device");
        }
        return missing;
    }

    /** As after {@code docker plugin rm -f} and an installation. */
    @Test
    void recoversPinnedNetworkWithoutStateFile() throws Exception {
        serve();
        String links = inside("ip -o link").replaceAll("<[^>]*>|state \\S+", "");
        driver.close();
        delete("state");
        start(PORT, "run");
        assertThat(driver.status().networks()).extracting(Overview.Attached::network)
                .containsExactly(DriverParts.network(NETWORK, VNI, true));
        assertThat(isProtected(PORT)).isTrue();
        assertThat(isBlocked()).isTrue();
        keys();
        driver.repair();
        assertThat(inside("ip -o link").replaceAll("<[^>]*>|state \\S+", "")).isEqualTo(links);
        assertThat(isProtected(PORT)).isTrue();
        assertThat(isBlocked()).isTrue();
    }

    /** The marking rules are gone as well, so nothing but the device tells that it is encrypted. */
    @Test
    void recoversEncryptionFromTheDeviceAlone() throws Exception {
        serve();
        driver.close();
        delete("state");
        inside("nft flush ruleset");
        host.run("nft flush ruleset");
        host.run("ip xfrm policy flush");
        host.run("ip xfrm state flush");
        start(PORT, "run");
        assertThat(driver.status().networks()).allMatch(attached -> attached.network().encrypted());
        driver.repair();
        assertThat(isProtected(PORT)).isTrue();
        assertThat(isBlocked()).isTrue();
        assertThat(inside("nft list ruleset")).contains("mark set");
    }

    @Test
    void keepsProtectionOfDevicesThatItCannotSee() throws Exception {
        serve();
        driver.close();
        delete("state");
        start(PORT, "elsewhere");
        try (StandardError log = new StandardError()) {
            driver.repair();
            driver.repair();
            assertThat(log.said()).containsOnlyOnce("keeping the firewall rules of VNI " + VNI);
        }
        assertThat(isProtected(PORT)).isTrue();
        assertThat(isBlocked()).isTrue();
        inside("ip link delete " + DEVICE);
        driver.repair();
        driver.repair();
        assertThat(isProtected(PORT)).isFalse();
        assertThat(isBlocked()).isFalse();
    }

    @Test
    void refusesAnotherRunFolderWhileNetworksAreUp() throws Exception {
        serve();
        driver.close();
        assertThatThrownBy(() -> recover(PORT, "elsewhere"))
                .hasMessageContaining("run.source")
                .hasMessageContaining(folder.resolve("run").toString());
        assertThat(isProtected(PORT)).isTrue();
        assertThat(isBlocked()).isTrue();
    }

    /** Its namespace is out of reach, as when the run folder was mounted anew: the device sends on. */
    @Test
    void keepsProtectionOfKnownNetworkWhoseNamespaceIsOutOfReach() throws Exception {
        serve();
        driver.close();
        try (Namespace lost = Namespace.open(pin()).orElseThrow(); Route links = Route.in(lost)) {
            Namespace.unpin(pin());
            start(PORT, "run");
            assertThat(isBlocked()).isTrue();
            keys();
            for (int joins = 0; joins < 3; joins++) {
                assertThatThrownBy(() -> driver.join(NETWORK, "here", "container")).hasMessageContaining("EEXIST");
                assertThat(isProtected(PORT)).as("after a Join that failed").isTrue();
                assertThat(isBlocked()).isTrue();
                driver.repair();
                assertThat(isProtected(PORT)).isTrue();
                assertThat(isBlocked()).isTrue();
            }
            links.links().delete(DEVICE);
            links.links().delete(NetworkNamespace.linkName("here"));
            driver.repair();
            driver.repair();
            assertThat(isProtected(PORT)).isFalse();
            assertThat(isBlocked()).isFalse();
            driver.join(NETWORK, "here", "container");
            assertThat(isProtected(PORT)).isTrue();
            assertThat(isBlocked()).isTrue();
        }
    }

    /** The state file alone tells that the device out of reach belongs to an encrypted network. */
    @Test
    void protectsKnownNetworkOutOfReachAfterAllRulesAreGone() throws Exception {
        serve();
        driver.close();
        try (Namespace lost = Namespace.open(pin()).orElseThrow(); Route links = Route.in(lost)) {
            Namespace.unpin(pin());
            host.run("nft flush ruleset");
            host.run("ip xfrm policy flush");
            start(PORT, "run");
            driver.repair();
            assertThat(isProtected(PORT)).isTrue();
            assertThat(isBlocked()).isTrue();
            assertThat(host.run("nft list tables")).contains("vxseal-priority");
            links.links().delete(DEVICE);
            driver.repair();
            driver.repair();
            assertThat(isProtected(PORT)).isFalse();
            assertThat(isBlocked()).isFalse();
        }
    }

    /** A namespace in the other run folder still sends to the port that it was made with. */
    @Test
    void keepsBlockOfAnotherPortForDevicesThatItCannotSee() throws Exception {
        serve();
        driver.close();
        delete("state");
        start(OTHER_PORT, "elsewhere");
        driver.repair();
        assertThat(host.run("ip xfrm policy")).contains("dport " + PORT);
        assertThat(isProtected(PORT)).isTrue();
        inside("ip link delete " + DEVICE);
        driver.repair();
        driver.repair();
        assertThat(isBlocked()).isFalse();
        assertThat(isProtected(PORT)).isFalse();
    }

    /** The same network again, at another port: its VNI is free there, and the device out of sight sends on. */
    @Test
    void keepsProtectionOfAnotherPortBesideTheSameNetwork() throws Exception {
        serve();
        driver.close();
        delete("state");
        host.run("ip link set " + NetworkNamespace.linkName("here") + " name taken");
        start(OTHER_PORT, "elsewhere");
        serve();
        driver.repair();
        driver.repair();
        assertThat(isProtected(OTHER_PORT)).isTrue();
        assertThat(isProtected(PORT)).isTrue();
        assertThat(host.run("ip xfrm policy")).contains("dport " + PORT);
        inside("ip link delete " + DEVICE);
        driver.repair();
        driver.repair();
        assertThat(isProtected(OTHER_PORT)).isTrue();
        assertThat(isProtected(PORT)).isFalse();
        driver.leave(NETWORK, "here");
        driver.repair();
        assertThat(isProtected(OTHER_PORT)).isFalse();
        assertThat(isBlocked()).isFalse();
    }

    /** The swarm's ingress network has a device on the usual port on every node. */
    @Test
    void lowersProtectionOfDeviceThatItCouldNotSeeOnPortThatOthersStillUse() throws Exception {
        host.run("ip link add ingress type vxlan id 4096 dstport %d local 10.55.0.1".formatted(PORT));
        host.run("ip link set ingress up");
        serve();
        driver.close();
        delete("state");
        start(PORT, "elsewhere");
        driver.repair();
        assertThat(isProtected(PORT)).isTrue();
        assertThat(driver.status().inTheWay()).singleElement().asString().contains("VNI " + VNI + " on port " + PORT);
        inside("ip link delete " + DEVICE);
        driver.repair();
        assertThat(isProtected(PORT)).isFalse();
        assertThat(driver.status().inTheWay()).isEmpty();
    }

    /** What iptables cannot list for now is not gone. */
    @Test
    void keepsRulesThatIptablesCouldNotListAtTheStart() throws Exception {
        driver.close();
        backend = Firewall.Backend.IPTABLES;
        start(PORT, "run");
        serve();
        driver.close();
        delete("state");
        host.run("nft add chain ip filter OPS");
        host.run("nft add rule ip filter OPS ct state established accept");
        start(PORT, "elsewhere");
        driver.repair();
        host.run("nft delete chain ip filter OPS");
        driver.repair();
        driver.repair();
        assertThat(isProtected(PORT)).isTrue();
        inside("ip link delete " + DEVICE);
        driver.repair();
        assertThat(isProtected(PORT)).isFalse();
    }

    /** The engine repeats a Leave that the previous process did not answer, maybe before it names this node's address. */
    @Test
    void keepsPriorityTableWhenOneOfTwoNetworksGoesBeforeTheFirstRepair() throws Exception {
        serve();
        driver.createNetwork(DriverParts.network("other", VNI + 1, true));
        driver.createEndpoint("other", "second", Cidr.parse("10.44.0.4/24"), Optional.empty());
        driver.join("other", "second", "container");
        driver.close();
        recover(PORT, "run");
        driver.leave("other", "second");
        assertThat(host.run("nft list tables")).contains("vxseal-priority");
        assertThat(isProtected(PORT)).isTrue();
    }

    /** Its networks ended while no plugin ran; a port of another program says nothing of theirs. */
    @Test
    void acceptsAnotherRunFolderOnceNoDeviceIsLeft() throws Exception {
        serve();
        driver.close();
        inside("ip link delete " + DEVICE);
        Namespace.unpin(pin());
        try (DatagramSocket other = host.within(() -> new DatagramSocket(OTHER_PORT))) {
            assertThat(other.isBound()).isTrue();
            start(PORT, "elsewhere");
            driver.repair();
        }
        assertThat(isBlocked()).isFalse();
    }

    @Test
    void removesDeviceBeforeProtectionWhenPortChanges() throws Exception {
        serve();
        driver.close();
        recover(OTHER_PORT, "run");
        assertThat(inside("ip -o link")).doesNotContain(DEVICE);
        assertThat(isProtected(PORT)).isTrue();
        driver.self(new NodeAddresses(HERE, HERE));
        keys();
        driver.repair();
        assertThat(inside("ip -d link show " + DEVICE)).contains("dstport " + OTHER_PORT);
        assertThat(isProtected(OTHER_PORT)).isTrue();
        assertThat(isProtected(PORT)).isFalse();
    }

    /** The swarm's ingress network has a device on the usual port on every node. */
    @Test
    void lowersProtectionOfPortThatOthersStillUse() throws Exception {
        host.run("ip link add ingress type vxlan id 4096 dstport %d local 10.55.0.1".formatted(PORT));
        host.run("ip link set ingress up");
        serve();
        driver.close();
        start(OTHER_PORT, "run");
        driver.repair();
        assertThat(isProtected(OTHER_PORT)).isTrue();
        assertThat(isProtected(PORT)).isFalse();
        driver.leave(NETWORK, "here");
        driver.repair();
        assertThat(isProtected(OTHER_PORT)).isFalse();
        assertThat(isBlocked()).isFalse();
    }

    @Test
    void setsForeignVxlanDevicesOfEncryptedNetworkDown() throws Exception {
        serve();
        host.run("ip link add vxother type vxlan id %d dstport 4810 local 10.55.0.1".formatted(VNI));
        host.run("ip link set vxother netns " + pin());
        inside("ip link set vxother master ov-001092-abcde up");
        driver.repair();
        assertThat(inside("ip -o link show vxother")).doesNotContain("UP");
        assertThat(inside("ip -o link show " + DEVICE)).contains("UP");
    }

    /** The VNI is the renamed device's, so none can be made beside it. */
    @Test
    void replacesRenamedVxlanDevice() throws Exception {
        serve();
        inside("ip link set " + DEVICE + " down");
        inside("ip link set " + DEVICE + " name renamed");
        inside("ip link set renamed up");
        driver.repair();
        assertThat(inside("ip -o link")).doesNotContain("renamed");
        assertThat(inside("ip -o link show " + DEVICE)).contains("UP");
    }

    /** Policies for the mark of version 0.1.0 go once this node's address is known. */
    @Test
    void marksFramesEvenIfFirewallFails() throws Exception {
        serve();
        driver.close();
        inside("nft flush ruleset");
        recover(PORT, "run");
        Files.createFile(folder.resolve(NO_FIREWALL));
        driver.self(new NodeAddresses(HERE, HERE));
        assertThat(inside("nft list ruleset")).contains("mark set 0x76d0c4e3");
    }

    @Test
    void marksFramesAgainAfterNamespaceIsFlushed() throws Exception {
        serve();
        driver.repair();
        long before = driver.status().repaired().rules();
        String rules = inside("nft list ruleset");
        inside("nft flush ruleset");
        driver.repair();
        assertThat(inside("nft list ruleset")).isEqualTo(rules);
        assertThat(driver.status().repaired().rules()).isEqualTo(before + 1);
        driver.repair();
        assertThat(driver.status().repaired().rules()).isEqualTo(before + 1);
    }

    /** Once with the namespace that this process created, once with the one that it recovered. */
    @Test
    void reportsFlushOfTheNetworksNamespaceAsEvent() throws Exception {
        serve();
        for (int process = 1; process <= 2; process++) {
            repairUntilQuiet();
            String rules = inside("nft list ruleset");
            inside("nft flush ruleset");
            assertThat(monitor.await(LONG)).as("process %d", process).isTrue();
            driver.repair();
            assertThat(inside("nft list ruleset")).isEqualTo(rules);
            driver.close();
            start(PORT, "run");
        }
    }

    /** Repairs until the kernel reports nothing, the changes of the repair included. */
    private void repairUntilQuiet() throws Exception {
        do {
            driver.repair();
        } while (monitor.await(SHORT));
    }

    @Test
    void restoresThePriorityTableAndRemovesItWithTheLastNetwork() throws Exception {
        String table = "nft list table inet vxseal-priority";
        serve();
        driver.repair();
        long before = driver.status().repaired().rules();
        String rules = host.run(table);
        host.run("nft flush chain inet vxseal-priority leaving");
        driver.repair();
        assertThat(host.run(table)).isEqualTo(rules);
        assertThat(driver.status().repaired().rules()).isEqualTo(before + 1);
        driver.leave(NETWORK, "here");
        driver.deleteEndpoint(NETWORK, "here");
        assertThat(host.run("nft list tables")).doesNotContain("vxseal");
    }

    @Test
    void countsDropsBeyondTheEndOfTheNetwork() throws Exception {
        serve();
        driver.repair();
        assertThat(driver.kernelCounters().rules()).isEqualTo(Drops.NONE);
        host.attempt(List.of("bash", "-c", "echo x > /dev/udp/127.0.0.1/" + PORT));
        driver.repair();
        assertThat(driver.kernelCounters().rules()).isEqualTo(new Drops(0, 1));
        driver.leave(NETWORK, "here");
        driver.deleteEndpoint(NETWORK, "here");
        driver.repair();
        assertThat(driver.kernelCounters().rules()).isEqualTo(new Drops(0, 1));
        assertThat(driver.journal().last()).extracting(Event::kind)
                .contains(Event.Kind.NETWORK_UP, Event.Kind.PEERS, Event.Kind.NETWORK_DOWN);
    }

    /** The engine names this node's address once. */
    @Test
    void setsAddressesEvenIfFirewallFails() throws Exception {
        serve();
        driver.close();
        recover(PORT, "run");
        Files.createFile(folder.resolve(NO_FIREWALL));
        driver.self(new NodeAddresses(HERE, HERE));
        assertThat(driver.status().addresses()).contains(new NodeAddresses(HERE, HERE));
        assertThat(inside("ip -o link show " + DEVICE)).as("before the first repair").doesNotContain("UP");
        driver.repair();
        assertThat(inside("ip -o link show " + DEVICE)).as("without rules that can be looked after").doesNotContain("UP");
        Files.delete(folder.resolve(NO_FIREWALL));
        driver.repair();
        assertThat(inside("ip -o link show " + DEVICE)).contains("UP");
        assertThat(isProtected(PORT)).isTrue();
    }

    /** More mounts on the pin than a removal takes at once make it fail; the next repair tries again. */
    @Test
    void retriesRemovalOfNamespace() throws Exception {
        serve();
        mountOftenOnPin();
        assertThatThrownBy(() -> driver.leave(NETWORK, "here")).hasMessageContaining("more than 16 mounts");
        assertThat(isProtected(PORT)).isTrue();
        driver.repair();
        assertThat(Namespace.open(pin())).isEmpty();
        assertThat(isProtected(PORT)).isFalse();
        driver.join(NETWORK, "here", "container");
        assertThat(inside("ip -o link show " + DEVICE)).contains("UP");
    }

    /** The next Join may come before the next repair. */
    @Test
    void joinsNetworkWhoseRemovalFailed() throws Exception {
        serve();
        mountOftenOnPin();
        assertThatThrownBy(() -> driver.leave(NETWORK, "here")).hasMessageContaining("more than 16 mounts");
        driver.join(NETWORK, "here", "container");
        assertThat(inside("ip -o link show " + DEVICE)).contains("UP");
        assertThat(isProtected(PORT)).isTrue();
    }

    private void mountOftenOnPin() throws Exception {
        for (int mount = 0; mount < 20; mount++) {
            new ProcessBuilder("mount", "--bind", pin().toString(), pin().toString()).inheritIO().start().waitFor();
        }
    }

    /** A device of another program has the VNI, and the removal of the namespace fails as above. */
    @Test
    void retriesRemovalOfNamespaceThatCouldNotBeBuilt() throws Exception {
        host.run("ip link add taken type vxlan id %d dstport %d local 10.55.0.1".formatted(VNI, PORT));
        Network network = DriverParts.network(NETWORK, VNI, true);
        Subnet subnet = network.subnets().getFirst();
        driver.createNetwork(new Network(NETWORK, true, network.linkMtu(), new AbstractList<>() {
            private boolean mounted;

            // Mounts on the pin once the namespace is there: its devices are about to be added.
            @Override
            public Subnet get(int index) {
                if (!mounted && host.attempt(List.of("mountpoint", "-q", pin().toString())).status() == 0) {
                    mounted = true;
                    assertThatCode(ProtectionTest.this::mountOftenOnPin).doesNotThrowAnyException();
                }
                return subnet;
            }

            @Override
            public int size() {
                return 1;
            }
        }));
        keys();
        driver.createEndpoint(NETWORK, "here", Cidr.parse("10.44.0.2/24"), Optional.empty());
        assertThatThrownBy(() -> driver.join(NETWORK, "here", "container")).hasMessageContaining(DEVICE).hasMessageContaining("EEXIST");
        assertThat(pin()).exists();
        driver.repair();
        assertThat(pin()).doesNotExist();
        assertThat(isProtected(PORT)).isFalse();
        host.run("ip link delete taken");
        driver.join(NETWORK, "here", "container");
        assertThat(inside("ip -o link show " + DEVICE)).contains("UP");
    }

    @Test
    void replacesUnusedNetworkByOneOfTheSwarm() throws Exception {
        driver.createNetwork(DriverParts.network("ghost", VNI, false));
        driver.createNetwork(DriverParts.network("newer", VNI, true));
        assertThat(driver.status().networks()).extracting(attached -> attached.network().id()).containsExactly("newer");
        driver.createNetwork(DriverParts.network("newer", VNI + 1, true));
        assertThat(driver.status().networks()).extracting(attached -> attached.network())
                .containsExactly(DriverParts.network("newer", VNI + 1, true));
    }

    @Test
    void refusesVniOfNetworkWithContainersHere() throws Exception {
        serve();
        assertThatThrownBy(() -> driver.createNetwork(DriverParts.network("newer", VNI, false)))
                .hasMessageContaining("" + VNI).hasMessageContaining(NETWORK);
        assertThat(driver.status().networks()).extracting(attached -> attached.network().id()).containsExactly(NETWORK);
    }

    /** As with {@code --data-path-addr}. */
    @Test
    void sendsFromAdvertisedAddressOfTheHost() throws Exception {
        InetAddress dataPath = InetAddress.ofLiteral("10.56.0.1");
        host.run("ip address add 10.56.0.1/24 dev lo");
        driver.self(new NodeAddresses(dataPath, HERE));
        assertThat(driver.status().addresses()).contains(new NodeAddresses(dataPath, dataPath));
        serve();
        assertThat(inside("ip -d link show " + DEVICE)).contains("local 10.56.0.1");
    }

    /** The link with the address comes up after the engine has named it, and it stays in use when the link goes for a while. */
    @Test
    void sendsFromAdvertisedAddressThatTheHostGetsLater() throws Exception {
        InetAddress dataPath = InetAddress.ofLiteral("10.56.0.1");
        driver.self(new NodeAddresses(dataPath, HERE));
        serve();
        driver.repair();
        assertThat(inside("ip -d link show " + DEVICE)).contains("local 10.55.0.1");
        host.run("ip address add 10.56.0.1/24 dev lo");
        driver.repair();
        assertThat(driver.status().addresses()).contains(new NodeAddresses(dataPath, dataPath));
        assertThat(inside("ip -d link show " + DEVICE)).contains("local 10.56.0.1");
        assertThat(host.run("ip xfrm policy")).contains("src 10.56.0.1/32").doesNotContain("src 10.55.0.1/32");
        host.run("ip address delete 10.56.0.1/24 dev lo");
        driver.repair();
        assertThat(driver.status().addresses()).contains(new NodeAddresses(dataPath, dataPath));
    }

    @Test
    void sendsFromBindAddressBehindNat() throws Exception {
        InetAddress translated = InetAddress.ofLiteral("203.0.113.9");
        driver.self(new NodeAddresses(translated, HERE));
        assertThat(driver.status().addresses()).contains(new NodeAddresses(translated, HERE));
    }

    @ParameterizedTest
    @ValueSource(strings = {"fd00:55::2", "10.55.0.2"})
    void reachesOnlyNodesOfItsOwnIpVersion(String node) throws Exception {
        serve();
        InetAddress address = InetAddress.ofLiteral("10.44.0.9");
        driver.peersChanged(List.of(new PeerChange.Added(new Peer(
                NETWORK, "far", new Cidr(address, 24), MacAddress.of(address), InetAddress.ofLiteral(node)))));
        driver.repair();
        boolean ours = !node.contains(":");
        assertThat(inside("ip neigh show nud permanent").contains("10.44.0.9")).isEqualTo(ours);
        assertThat(inside("ip neigh show nud permanent")).contains("10.44.0.3");
        assertThat(driver.status().inTheWay().stream().anyMatch(line -> line.contains("another IP version"))).isEqualTo(!ours);
    }
}
