package io.vxseal.overlay;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.address.NodeAddresses;
import io.vxseal.cluster.Cluster;
import io.vxseal.cluster.ClusterListener;
import io.vxseal.cluster.PeerChange;
import io.vxseal.encryption.Encryption;
import io.vxseal.encryption.KeyRing;
import io.vxseal.journal.Journal;
import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.firewall.Firewall;
import io.vxseal.kernel.firewall.FirewallDetector;
import io.vxseal.kernel.firewall.Segment;
import io.vxseal.kernel.netns.Namespace;
import java.net.InetAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Repairs while the kernel refuses to remove a VXLAN device: the socket in the network's namespace is closed. */
class ReconcilerTest {
    private static final int PORT = DriverParts.PORT;
    private static final int OTHER_PORT = 4801;
    private static final int VNI = 4242;
    private static final InetAddress HERE = InetAddress.ofLiteral("10.55.0.1");
    private static final InetAddress HERE_IPV6 = InetAddress.ofLiteral("fd00:55::1");

    @TempDir
    private Path folder;

    private TestHost underlay;
    private Host host;
    private FirewallDetector detector;
    private Cluster cluster;
    private Protection protection;
    private LocalNode local;
    private Attachment attachment;
    private Reconciler reconciler;

    /** Brings an encrypted network up with one endpoint. */
    @BeforeEach
    void open() throws Exception {
        underlay = new TestHost(folder.resolve("host"));
        DriverParts parts = new DriverParts(underlay, folder);
        host = parts.host();
        detector = parts.detector();
        Encryption encryption = parts.encryption();
        Journal journal = new Journal();
        RepairLog repairs = new RepairLog(new ErrorLog(journal), journal);
        DriverLock lock = new DriverLock();
        cluster = parts.cluster(new ClusterListener() {
            @Override
            public void peersChanged(List<PeerChange> changes) {}

            @Override
            public void ring(KeyRing ring) {}
        });
        Networks networks = new Networks(parts.store(), cluster);
        local = new LocalNode(host);
        protection = new Protection(host, encryption, detector);
        ServiceAddresses services = new ServiceAddresses(host, lock, networks, repairs);
        DataPath dataPath = new DataPath(host, encryption, protection, networks, local, services, journal);
        Readiness readiness = new Readiness(lock, Duration.ZERO, local, encryption);
        reconciler = new Reconciler(
                encryption, protection, networks, dataPath, local,
                new Endpoints(networks, dataPath, local, readiness, cluster, services),
                new Rekeying(lock, encryption, dataPath, readiness, cluster, repairs, parts.store().keysInForce), cluster, services, repairs);

        reconciler.moveTo(local.set(new NodeAddresses(HERE, HERE)));
        networks.add(DriverParts.network("abcdefgh", VNI, true));
        attachment = networks.get("abcdefgh");
        Cidr address = Cidr.parse("10.44.0.2/24");
        Endpoint endpoint = new Endpoint("here", "abcdefgh", address, MacAddress.of(address.address()), true);
        attachment.endpoints.put("here", endpoint);
        dataPath.bringUp(attachment, HERE, new Rollback());
        attachment.namespace.orElseThrow().addEndpoint(endpoint, attachment.network.subnets().getFirst(), HERE);
        reconciler.repair();
    }

    @AfterEach
    void close() throws Exception {
        attachment.namespace.ifPresent(NetworkNamespace::close);
        protection.close();
        cluster.close();
        Namespace.unpin(host.pins().resolve("abcdefgh"));
        underlay.close();
    }

    private void breakNamespace() {
        attachment.namespace.orElseThrow().close();
    }

    private void mendNamespace() throws Exception {
        attachment.namespace = NetworkNamespace.open(attachment.network, host);
    }

    private boolean isProtected(int port) throws Exception {
        return detector.detect(Firewall.Transport.IPV4).installed().segments().contains(new Segment(port, VNI));
    }

    private boolean isIpv4Blocked() {
        return underlay.run("ip xfrm policy").contains("src 0.0.0.0/0 dst 0.0.0.0/0");
    }

    @Test
    void keepsRulesWhileDeviceCannotBeRemoved() throws Exception {
        detector.detect(Firewall.Transport.IPV4).protect(Set.of(new Segment(OTHER_PORT, VNI)));
        breakNamespace();
        reconciler.repair();
        assertThat(isProtected(OTHER_PORT)).isTrue();
        assertThat(isProtected(PORT)).isTrue();
        mendNamespace();
        reconciler.repair();
        assertThat(isProtected(OTHER_PORT)).isFalse();
        assertThat(isProtected(PORT)).isTrue();
    }

    @Test
    void addsMissingRulesWhileDeviceCannotBeRemoved() throws Exception {
        breakNamespace();
        underlay.run("nft flush ruleset");
        reconciler.repair();
        assertThat(isProtected(PORT)).isTrue();
        assertThat(underlay.run("nft list tables")).contains("vxseal-priority");
    }

    @Test
    void keepsBlockOfEarlierAddressWhileDeviceCannotBeRemoved() throws Exception {
        assertThat(isIpv4Blocked()).isTrue();
        breakNamespace();
        reconciler.moveTo(local.set(new NodeAddresses(HERE_IPV6, HERE_IPV6)));
        assertThat(isIpv4Blocked()).isTrue();
        reconciler.repair();
        assertThat(isIpv4Blocked()).isTrue();
        mendNamespace();
        reconciler.repair();
        assertThat(isIpv4Blocked()).isFalse();
        assertThat(underlay.run("ip xfrm policy")).contains("action block");
    }
}
