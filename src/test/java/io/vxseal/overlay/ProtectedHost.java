package io.vxseal.overlay;

import io.vxseal.address.Cidr;
import io.vxseal.address.NodeAddresses;
import io.vxseal.cluster.PeerChange;
import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.firewall.Firewall;
import io.vxseal.kernel.netns.Namespace;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * A host with the plugin and an encrypted network that has a container here and one on another node. What protects the network is read
 * with the distribution's tools.
 */
final class ProtectedHost implements AutoCloseable {
    static final int PORT = DriverParts.PORT;
    static final int OTHER_PORT = 4801;
    static final int VNI = 4242;
    static final String NETWORK = "abcdefgh";
    static final String DEVICE = "vx-001092-abcde";
    static final String RUN = "run";
    static final String OTHER_RUN = "elsewhere";

    private static final InetAddress HERE = InetAddress.ofLiteral("10.55.0.1");
    private static final InetAddress HERE_IPV6 = InetAddress.ofLiteral("fd00:55::1");
    private static final InetAddress THERE = InetAddress.ofLiteral("10.55.0.2");

    private final Path folder;
    private final TestHost host;
    private final List<String> prefix;
    private Firewall.Backend backend;
    private Driver driver;

    /** Starts the plugin. */
    ProtectedHost(Path folder, Firewall.Backend backend) throws Exception {
        this(folder, backend, List.of());
    }

    /** @param prefix words before each command of the host's firewall */
    ProtectedHost(Path folder, Firewall.Backend backend, List<String> prefix) throws Exception {
        this.folder = folder;
        this.backend = backend;
        this.prefix = prefix;
        host = new TestHost(folder.resolve("host"));
        driver = recovered(PORT, RUN);
        nameAddress();
    }

    Driver driver() {
        return driver;
    }

    /** Sets what makes the rules, from the next start on. */
    void backend(Firewall.Backend other) {
        backend = other;
    }

    private Driver recovered(int port, String run) throws Exception {
        Driver recovered = new DriverParts(host, folder).port(port).run(run).firewall(backend, prefix).driver();
        recovered.recover();
        return recovered;
    }

    /** Ends the plugin and starts it again, up to the engine's first call. */
    void recover(int port, String run) throws Exception {
        driver.close();
        driver = recovered(port, run);
    }

    /** Has the engine name this node's address. */
    void nameAddress() {
        driver.self(new NodeAddresses(HERE, HERE));
    }

    void nameIpv6Address() {
        driver.self(new NodeAddresses(HERE_IPV6, HERE_IPV6));
    }

    /** Starts the plugin with another run folder and without its state: the devices are out of its reach from then on. */
    void loseDevices(int port) throws Exception {
        driver.close();
        try (Stream<Path> files = Files.walk(folder.resolve("state"))) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
        driver = recovered(port, OTHER_RUN);
    }

    /** Creates the network and has the container join. */
    void serve() throws Exception {
        create();
        driver.join(NETWORK, "here", "container");
        driver.peersChanged(List.of(new PeerChange.Added(DriverParts.peer(NETWORK, "there", "10.44.0.3", THERE))));
    }

    /** Creates the network and the container's endpoint. */
    void create() throws Exception {
        driver.createNetwork(DriverParts.network(NETWORK, VNI, true));
        driver.initialKeys(DriverParts.keys());
        driver.createEndpoint(NETWORK, "here", Cidr.parse("10.44.0.2/24"), Optional.empty());
    }

    /** Has a container join another encrypted network, with the next VNI. */
    void serveOther() throws Exception {
        driver.createNetwork(DriverParts.network("other", VNI + 1, true));
        driver.initialKeys(DriverParts.keys());
        driver.createEndpoint("other", "second", Cidr.parse("10.44.0.4/24"), Optional.empty());
        driver.join("other", "second", "container");
    }

    String run(String command) {
        return host.run(command);
    }

    /** Returns where the host's namespace is pinned. */
    Path namespace() {
        return folder.resolve("host");
    }

    Path pin() {
        return folder.resolve(RUN).resolve("netns").resolve(NETWORK);
    }

    /** Runs a command in the network's namespace. */
    String inside(String command) {
        return host.run("nsenter --net=" + pin() + " " + command);
    }

    boolean isDeviceUp() {
        return host.attempt(List.of("mountpoint", "-q", pin().toString())).status() == 0
                && inside("ip -o link").lines().anyMatch(link -> link.contains(DEVICE) && link.contains(",UP"));
    }

    /** Returns whether nftables or iptables have rules for the network's VNI at a port. */
    boolean hasRules(int port) {
        String vni = "0x%x".formatted(VNI);
        return run("nft list ruleset").contains("%d . %s".formatted(port, vni)) || hasIptablesRules(port);
    }

    /** Returns whether the rules for IPv4 of iptables lead to ours from a port. */
    boolean hasIptablesRules(int port) {
        return Stream.of("iptables-nft-save", "iptables-legacy-save").anyMatch(save -> {
            String rules = host.attempt(List.of(save)).output();
            return rules.contains("-A INPUT -p udp -m udp --dport %d -j VXSEAL-INPUT".formatted(port))
                    && rules.contains("-A VXSEAL-INPUT -p udp -m udp --dport %d".formatted(port));
        });
    }

    /** Returns whether the rules for IPv6 of iptables lead to ours from a port. */
    boolean hasIp6tablesRules(int port) {
        return host.attempt(List.of("ip6tables-nft-save")).output()
                .contains("-A INPUT -p udp -m udp --dport %d -j VXSEAL-INPUT".formatted(port));
    }

    boolean isBlockedOverIpv6(int port) {
        return run("ip xfrm policy").contains("src ::/0 dst ::/0 proto udp dport %d".formatted(port));
    }

    /** Returns whether marked datagrams to a port are blocked over IPv4. */
    boolean isBlocked(int port) {
        return run("ip xfrm policy").contains("src 0.0.0.0/0 dst 0.0.0.0/0 proto udp dport %d".formatted(port));
    }

    boolean isMarked() {
        return inside("nft list ruleset").contains("mark set 0x76d0c4e3");
    }

    boolean hasPriority() {
        return run("nft list tables").contains("vxseal-priority");
    }

    @Override
    public void close() throws IOException {
        driver.close();
        for (String run : List.of(RUN, OTHER_RUN)) {
            Path pins = folder.resolve(run).resolve("netns");
            if (Files.isDirectory(pins)) {
                try (Stream<Path> all = Files.list(pins)) {
                    for (Path pin : all.toList()) {
                        Namespace.unpin(pin);
                    }
                }
            }
        }
        host.close();
    }
}
