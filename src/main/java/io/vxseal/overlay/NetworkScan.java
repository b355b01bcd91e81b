package io.vxseal.overlay;

import io.vxseal.address.Cidr;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.route.Link;
import io.vxseal.kernel.route.Route;
import io.vxseal.kernel.route.VxlanTunnel;
import java.io.IOException;
import java.net.Inet6Address;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Reader of the networks that a previous process left up.
 *
 * <p>The file that a namespace is pinned on is named after the network's id. Its bridges have the gateways' addresses, and its VXLAN
 * devices the VNIs; {@link EncryptionEvidence} says whether the network is encrypted. The endpoints cannot be read from the kernel: a link's
 * name has only seven characters of the endpoint's id.
 */
final class NetworkScan {
    /**
     * A namespace that is pinned.
     *
     * @param id of the network
     * @param network as read from the kernel; empty if it is incomplete
     */
    record Pinned(String id, Optional<Network> network) {}

    private record Found(String id, Optional<Network> network, EncryptionEvidence evidence) {}

    private NetworkScan() {}

    /**
     * Returns the namespaces that are pinned in the run folder.
     *
     * @param sealed whether the kernel shows that an encrypted network was up. If so, and if no network is known to be encrypted, those
     *     without evidence are treated as encrypted: a plain network that is cut off does less harm than an encrypted one in clear
     */
    static List<Pinned> pinned(Host host, boolean sealed) throws IOException {
        List<Found> found = new ArrayList<>();
        if (Files.isDirectory(host.pins())) {
            try (Stream<Path> pins = Files.list(host.pins())) {
                for (Path pin : pins.sorted().toList()) {
                    found(pin).ifPresent(found::add);
                }
            }
        }
        boolean doubtful = sealed && found.stream().noneMatch(one -> one.evidence == EncryptionEvidence.ENCRYPTED);
        return found.stream()
                .map(one -> new Pinned(one.id, one.network.map(network -> new Network(
                        network.id(),
                        one.evidence == EncryptionEvidence.ENCRYPTED || doubtful && one.evidence == EncryptionEvidence.NONE,
                        network.linkMtu(),
                        network.subnets()))))
                .toList();
    }

    /** Sets all VXLAN devices of a pinned namespace down. */
    static void setDevicesDown(Host host, Pinned pinned) throws KernelException {
        Optional<Namespace> namespace = Namespace.open(host.pins().resolve(pinned.id));
        if (namespace.isEmpty()) {
            return;
        }
        try (Namespace open = namespace.get(); Route route = Route.in(open)) {
            for (Link link : route.links().list()) {
                if (link.tunnel().isPresent()) {
                    route.links().setDown(link.name());
                }
            }
        }
    }

    private static Optional<Found> found(Path pin) throws IOException {
        Optional<Namespace> pinned = Namespace.open(pin);
        if (pinned.isEmpty()) {
            return Optional.empty();
        }
        String id = pin.getFileName().toString();
        try (Namespace namespace = pinned.get(); Route route = Route.in(namespace)) {
            List<Link> links = route.links().list();
            Map<Integer, Link> vxlans = new HashMap<>();
            links.stream().filter(link -> link.tunnel().isPresent())
                    .forEach(vxlan -> vxlan.master().ifPresent(bridge -> vxlans.put(bridge, vxlan)));
            List<Subnet> subnets = new ArrayList<>();
            int mtu = 0;
            // In order of creation, which is that of the definition.
            for (Link bridge : links.stream().sorted(Comparator.comparingInt(Link::index)).toList()) {
                Link vxlan = vxlans.get(bridge.index());
                List<Cidr> gateways = route.links().addresses(bridge);
                if (vxlan != null && !gateways.isEmpty()) {
                    VxlanTunnel tunnel = vxlan.tunnel().orElseThrow();
                    Cidr gateway = gateways.getFirst();
                    subnets.add(new Subnet(gateway.network(), gateway, tunnel.vni()));
                    boolean ipv6 = tunnel.local().filter(Inet6Address.class::isInstance).isPresent();
                    mtu = Network.linkMtuOverIpv4(vxlan.mtu(), ipv6);
                }
            }
            EncryptionEvidence evidence = EncryptionEvidence.find(namespace, route, links, id);
            Optional<Network> network = subnets.isEmpty()
                    ? Optional.empty()
                    : Optional.of(new Network(id, evidence == EncryptionEvidence.ENCRYPTED, mtu, List.copyOf(subnets)));
            return Optional.of(new Found(id, network, evidence));
        }
    }
}
