package io.vxseal.check;

import io.vxseal.encryption.EspProbe;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.route.Bridge;
import io.vxseal.kernel.route.Link;
import io.vxseal.kernel.route.Route;
import io.vxseal.kernel.route.Vxlan;
import io.vxseal.kernel.xfrm.ForeignPolicy;
import io.vxseal.kernel.xfrm.SecurityPolicy;
import io.vxseal.kernel.xfrm.Xfrm;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Checks of a host before and after the plugin is installed. They change nothing on the host: what has to be tried is tried in a network
 * namespace of its own.
 *
 * @param host the host's network namespace
 * @param port UDP port of VXLAN
 * @param plugins folder of plugins' sockets
 * @param swarm the engine's swarm folder
 * @param sandboxes folder in which the engine mounts its network namespaces
 * @param node what the running plugin knows
 */
public record HostCheck(Namespace host, int port, Path plugins, Path swarm, Path sandboxes, Node node) {
    private static final InetAddress LOOPBACK = InetAddress.ofLiteral("127.0.0.1");
    private static final String BRIDGE = "vxseal-check";
    private static final int USUAL_MTU = 1500;

    /**
     * This node as a running plugin knows it.
     *
     * @param address of its VXLAN datagrams; empty if it is not known
     * @param others addresses of other nodes
     * @param vnis of the networks here
     */
    public record Node(Optional<InetAddress> address, Set<InetAddress> others, Set<Integer> vnis) {
        /** What is known without a running plugin. */
        public static final Node UNKNOWN = new Node(Optional.empty(), Set.of(), Set.of());
    }

    /** A check that needs the kernel. */
    private interface Probe {
        Finding run() throws IOException;
    }

    /** Returns a finding for each check. */
    public List<Finding> run() {
        List<Finding> findings = new ArrayList<>();
        findings.add(probe("VXLAN", "modprobe -a vxlan bridge", this::vxlan));
        findings.add(probe("ESP", "modprobe -a xfrm_user esp4 gcm seqiv", this::esp));
        findings.add(probe("foreign policies", "ip xfrm policy", this::foreignPolicies));
        findings.add(probe("foreign VXLAN", "ip -d link show type vxlan", this::foreignVxlan));
        findings.add(probe("MTU", "ip link", this::mtu));
        findings.add(probe("shared mount", "mount --make-shared /", this::sharedMount));
        findings.add(probe("clock", "timedatectl", this::clock));
        return findings;
    }

    private static Finding probe(String check, String remedy, Probe probe) {
        try {
            return probe.run();
        } catch (IOException failure) {
            return Finding.unfit(check, failure.getMessage(), remedy);
        }
    }

    /** Runs a probe in a network namespace that ends with it. */
    private static Finding apart(NamespaceProbe probe) throws IOException {
        try (Namespace scratch = Namespace.create()) {
            return probe.run(scratch);
        }
    }

    /** A probe in a namespace of its own. */
    private interface NamespaceProbe {
        Finding run(Namespace scratch) throws IOException;
    }

    private Finding vxlan() throws IOException {
        return apart(scratch -> {
            try (Route route = Route.in(scratch)) {
                route.links().addBridge(new Bridge(BRIDGE, USUAL_MTU, List.of()));
                route.links().addVxlan(
                        new Vxlan("vxseal-try", 1, port, USUAL_MTU, Optional.empty(), BRIDGE), scratch, route.links());
                return Finding.fit("VXLAN", "the kernel makes VXLAN devices and bridges");
            }
        });
    }

    private Finding esp() throws IOException {
        return apart(scratch -> {
            try (Xfrm xfrm = Xfrm.in(scratch)) {
                EspProbe.check(xfrm, LOOPBACK);
                return Finding.fit("ESP", "the kernel has ESP with AES-GCM");
            }
        });
    }

    private Finding foreignPolicies() throws KernelException {
        try (Xfrm xfrm = Xfrm.in(host)) {
            List<ForeignPolicy> foreigners = xfrm.listedPolicies().stream()
                    .filter(ForeignPolicy.class::isInstance)
                    .map(ForeignPolicy.class::cast)
                    .toList();
            for (ForeignPolicy foreign : foreigners) {
                if (foreign.mayPrecede(SecurityPolicy.Action.Seal.PRIORITY)
                        && foreign.takesFrom(foreign.source().address(), port, SecurityPolicy.MARK)) {
                    return Finding.unfit("foreign policies",
                            "%s may take packets of encrypted networks, which are dropped then".formatted(foreign),
                            "give it another priority than 0 in the VPN's configuration, or remove it: ip xfrm policy");
                }
            }
            Optional<ForeignPolicy> dropping = dropping(foreigners);
            if (dropping.isPresent()) {
                return Finding.unfit("foreign policies",
                        "%s drops packets of encrypted networks that arrive from other nodes".formatted(dropping.get()),
                        "narrow its addresses in the VPN's configuration, or remove it: ip xfrm policy");
            }
            return Finding.fit("foreign policies", "no other program's IPsec policy takes packets of encrypted networks");
        }
    }

    /** Returns a policy that drops what arrives here, from a node that is known or, if none is, from any address. */
    private Optional<ForeignPolicy> dropping(List<ForeignPolicy> policies) throws KernelException {
        List<InetAddress> own = node.address.isPresent() ? List.of(node.address.get()) : hostAddresses();
        for (ForeignPolicy policy : policies) {
            boolean fromNode = node.others.isEmpty()
                    ? policy.source().prefix() == 0
                    : node.others.stream().anyMatch(policy.source()::contains);
            if (fromNode && own.stream().anyMatch(address -> policy.dropsAt(address, port, policies))) {
                return Optional.of(policy);
            }
        }
        return Optional.empty();
    }

    private List<InetAddress> hostAddresses() throws KernelException {
        List<InetAddress> addresses = new ArrayList<>();
        try (Route route = Route.in(host)) {
            for (Link link : route.links().list()) {
                route.links().addresses(link).forEach(address -> addresses.add(address.address()));
            }
        }
        return addresses;
    }

    private Finding foreignVxlan() throws IOException {
        try (Route route = Route.in(host)) {
            for (Link link : route.links().list()) {
                if (link.tunnel().filter(tunnel -> tunnel.port() == port).isPresent()) {
                    return Finding.unfit("foreign VXLAN",
                            "device %s of another program uses VXLAN port %d: a network with its VNI (%d) cannot come up here"
                                    .formatted(link.name(), port, link.tunnel().orElseThrow().vni()),
                            "choose another port on all nodes: docker plugin set vxseal VXSEAL_VXLAN_PORT=4800");
                }
            }
        }
        Optional<String> clash = clashInSandbox();
        return clash.isPresent()
                ? Finding.unfit("foreign VXLAN", clash.get(),
                        "remove one of the two networks and create it again, so that it gets another VNI: docker network ls")
                : Finding.fit("foreign VXLAN", "no device of another program is in the way of a network here, on VXLAN port %d".formatted(port));
    }

    /**
     * Looks for a device of the built-in driver with the VNI of a network here. Its devices are in namespaces of the engine, and their
     * datagrams in the host's, where a VNI can be used once with a port.
     */
    private Optional<String> clashInSandbox() throws IOException {
        if (node.vnis.isEmpty() || !Files.isDirectory(sandboxes)) {
            return Optional.empty();
        }
        try (DirectoryStream<Path> pins = Files.newDirectoryStream(sandboxes)) {
            for (Path pin : pins) {
                Optional<String> clash = clashIn(pin);
                if (clash.isPresent()) {
                    return clash;
                }
            }
        }
        return Optional.empty();
    }

    private Optional<String> clashIn(Path pin) {
        try {
            Optional<Namespace> opened = Namespace.open(pin);
            if (opened.isEmpty()) {
                return Optional.empty();
            }
            try (Namespace sandbox = opened.get(); Route route = Route.in(sandbox)) {
                return route.links().list().stream()
                        .filter(link -> link.tunnel()
                                .filter(tunnel -> tunnel.port() == port && node.vnis.contains(tunnel.vni())).isPresent())
                        .map(link -> "device %s in %s of the built-in driver has VNI %d, as a network here, which cannot come up"
                                .formatted(link.name(), pin, link.tunnel().orElseThrow().vni()))
                        .findFirst();
            }
        } catch (KernelException _) {
            // A namespace that ended meanwhile.
            return Optional.empty();
        }
    }

    private Finding mtu() throws KernelException {
        try (Route route = Route.in(host)) {
            List<Link> links = node.address.isPresent()
                    ? route.links().withAddress(node.address.get()).stream().toList()
                    : route.links().list().stream().filter(link -> link.up() && link.kind().isEmpty()).toList();
            for (Link link : links) {
                if (link.mtu() < USUAL_MTU) {
                    return Finding.unfit("MTU",
                            "link %s carries packets of %d octets: networks that are allocated elsewhere need %d by default"
                                    .formatted(link.name(), link.mtu(), USUAL_MTU),
                            "docker network create --opt com.docker.network.driver.mtu=%d …".formatted(link.mtu()));
                }
            }
            return Finding.fit("MTU", "%s packets of %d octets".formatted(
                    node.address.isPresent() ? "the link with this node's address carries" : "all links carry", USUAL_MTU));
        }
    }

    private Finding sharedMount() throws IOException {
        String longest = "";
        boolean shared = false;
        for (String line : Files.readAllLines(Path.of("/proc/self/mountinfo"))) {
            String[] words = line.split(" ");
            // proc_pid_mountinfo(5): the fifth field is the mount point, and optional fields follow the sixth.
            if (plugins.toAbsolutePath().startsWith(words[4]) && words[4].length() >= longest.length()) {
                longest = words[4];
                shared = line.contains(" shared:");
            }
        }
        return shared
                ? Finding.fit("shared mount", "%s is on a shared mount (%s)".formatted(plugins, longest))
                : Finding.unfit("shared mount",
                        "%s is on %s, which is not shared: networks would not outlive the plugin".formatted(plugins, longest),
                        "mount --make-shared " + longest);
    }

    private Finding clock() throws IOException {
        Path file = swarm.resolve("certificates/swarm-node.crt");
        if (!Files.exists(file)) {
            return Finding.fit("clock", "not checked: this engine is in no swarm");
        }
        Instant now = Instant.now();
        try (InputStream in = Files.newInputStream(file)) {
            X509Certificate own = (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(in);
            if (now.isBefore(own.getNotBefore().toInstant()) || now.isAfter(own.getNotAfter().toInstant())) {
                return Finding.unfit("clock",
                        "this node's certificate is valid from %s to %s and the clock says %s: other nodes refuse its sessions"
                                .formatted(own.getNotBefore().toInstant(), own.getNotAfter().toInstant(), now),
                        "timedatectl set-ntp true");
            }
            return Finding.fit("clock", "within the validity of this node's certificate");
        } catch (CertificateException malformed) {
            throw new IOException("%s is no certificate: %s".formatted(file, malformed.getMessage()), malformed);
        }
    }
}
