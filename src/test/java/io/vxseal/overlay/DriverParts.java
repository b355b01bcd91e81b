package io.vxseal.overlay;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.address.NodeAddresses;
import io.vxseal.cluster.Cluster;
import io.vxseal.cluster.ClusterListener;
import io.vxseal.cluster.ClusterSettings;
import io.vxseal.encryption.Encryption;
import io.vxseal.encryption.Key;
import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.firewall.Firewall;
import io.vxseal.kernel.firewall.FirewallDetector;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.monitor.KernelMonitor;
import io.vxseal.kernel.xfrm.Xfrm;
import io.vxseal.peers.Peer;
import java.net.InetAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Parts of a driver on a test's host, and the driver made of them. By default the node is in no swarm, the firewall is nftables, and it is
 * not checked that the kernel can seal.
 */
final class DriverParts {
    static final int PORT = 4800;

    private final TestHost host;
    private final Path folder;
    private int port = PORT;
    private String run = "run";
    private Encryption.Probe probe = (_, _) -> {};
    private Firewall.Backend backend = Firewall.Backend.NFTABLES;
    private List<String> prefix = List.of();
    private Optional<KernelMonitor> monitor = Optional.empty();
    private ClusterSettings cluster;
    private boolean services;
    private Path sandboxes;

    /** @param folder of the test, for all files */
    DriverParts(TestHost host, Path folder) {
        this.host = host;
        this.folder = folder;
        this.cluster = noSwarm(folder);
        this.sandboxes = folder.resolve("sandboxes");
    }

    /** Returns settings of a cluster that stays without members. */
    static ClusterSettings noSwarm(Path folder) {
        return new ClusterSettings(
                folder.resolve("none"), folder.resolve("none.json"), 4788, Duration.ofHours(12), 0, Optional.empty(), Optional.empty());
    }

    DriverParts port(int other) {
        port = other;
        return this;
    }

    /** Sets the name of the run folder. */
    DriverParts run(String name) {
        run = name;
        return this;
    }

    DriverParts probe(Encryption.Probe other) {
        probe = other;
        return this;
    }

    /** @param commandPrefix words before each firewall command */
    DriverParts firewall(Firewall.Backend other, List<String> commandPrefix) {
        backend = other;
        prefix = commandPrefix;
        return this;
    }

    /**
     * Sets whether the addresses of services are answered.
     *
     * @param folderOfContainers in which the containers' namespaces are mounted
     */
    DriverParts services(boolean on, Path folderOfContainers) {
        services = on;
        sandboxes = folderOfContainers;
        return this;
    }

    DriverParts monitor(KernelMonitor some) {
        monitor = Optional.of(some);
        return this;
    }

    DriverParts cluster(ClusterSettings settings) {
        cluster = settings;
        return this;
    }

    /** Returns the path at which the namespace of a network is pinned. */
    Path pin(String network) {
        return pins().resolve(network);
    }

    private Path pins() {
        return folder.resolve(run).resolve("netns");
    }

    Host host() {
        return new Host(host.namespace(), host.route(), pins(), port, sandboxes, services, monitor);
    }

    Encryption encryption() throws KernelException {
        return new Encryption(Xfrm.in(host.namespace()), port, probe);
    }

    FirewallDetector detector() {
        return new FirewallDetector(backend, host.namespace(), prefix);
    }

    StateStore store() {
        return new StateStore(folder.resolve("state"), folder.resolve(run), Optional.of(folder.resolve(run).resolve("ring")));
    }

    Cluster cluster(ClusterListener listener) {
        return new Cluster(cluster, listener);
    }

    Driver driver() throws KernelException {
        return new Driver(host(), encryption(), detector(), store(), Duration.ZERO, this::cluster);
    }

    /** Starts a process of the plugin on a node with this address: the driver has recovered what an earlier one left. */
    Driver start(InetAddress address) throws Exception {
        Driver driver = driver();
        driver.recover();
        driver.self(new NodeAddresses(address, address));
        return driver;
    }

    /** Brings an encrypted network up, with keys and an endpoint here, 10.44.0.2. */
    static void serve(Driver driver, Network network) throws DriverException {
        driver.createNetwork(network);
        driver.initialKeys(keys());
        driver.createEndpoint(network.id(), "here", Cidr.parse("10.44.0.2/24"), Optional.empty());
        driver.join(network.id(), "here", "");
    }

    /** Returns a network whose subnet is 10.44.0.0/24. */
    static Network network(String id, int vni, boolean encrypted) throws DriverException {
        Map<String, String> options = encrypted
                ? Map.of(NetworkOptions.VXLANID_LIST, "" + vni, NetworkOptions.ENCRYPTED, "")
                : Map.of(NetworkOptions.VXLANID_LIST, "" + vni);
        return Network.of(id, options, pools());
    }

    static List<Network.Pool> pools() {
        return List.of(new Network.Pool(Cidr.parse("10.44.0.0/24"), Cidr.parse("10.44.0.1/24")));
    }

    static List<Key> keys() {
        return List.of(new Key(new byte[16], 1), new Key(new byte[16], 2), new Key(new byte[16], 3));
    }

    /** Returns an endpoint on another node, with a prefix of 24 bits. */
    static Peer peer(String network, String endpoint, String address, InetAddress node) {
        InetAddress own = InetAddress.ofLiteral(address);
        return new Peer(network, endpoint, new Cidr(own, 24), MacAddress.of(own), node);
    }
}
