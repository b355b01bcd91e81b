package io.vxseal.overlay;

import io.vxseal.kernel.Cidr;
import io.vxseal.kernel.FirewallException;
import io.vxseal.kernel.FrameMark;
import io.vxseal.kernel.Namespace;
import io.vxseal.kernel.Route;
import io.vxseal.kernel.Route.Link;
import io.vxseal.kernel.Route.Tunnel;
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
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The networks that an earlier process has left up, read off the kernel where its memory is lost. A namespace's pin bears
 * the network's id, its bridges have the gateways' addresses, its VXLANs the VNIs; and an encrypted network's frames are
 * marked. Who is on a network the kernel does not know: a link bears seven characters of the endpoint's id and no more.
 */
final class Remains {
    private static final Logger log = LoggerFactory.getLogger(Remains.class);

    /** What is not known of an unmarked network is whether this kernel could mark it. */
    private record Found(Network network, boolean marked) {}

    private Remains() {}

    /**
     * The networks that are up, as far as they are whole.
     *
     * @param sealed whether an encrypted network was up. If it was and none bears the mark, the kernel cannot mark; then
     *     all are taken for encrypted, for a plain one that is cut off does less harm than one that speaks in clear
     */
    static List<Network> networks(Host host, boolean sealed) throws IOException {
        List<Found> found = new ArrayList<>();
        if (Files.isDirectory(host.pins())) {
            try (Stream<Path> pins = Files.list(host.pins())) {
                for (Path pin : pins.toList()) {
                    network(pin).ifPresent(found::add);
                }
            }
        }
        boolean unmarkable = sealed && found.stream().noneMatch(Found::marked);
        return found.stream()
                .map(Found::network)
                .map(network -> unmarkable
                        ? new Network(network.id(), true, network.linkMtu(), network.subnets())
                        : network)
                .toList();
    }

    private static Optional<Found> network(Path pin) throws IOException {
        Optional<Namespace> pinned = Namespace.open(pin);
        if (pinned.isEmpty()) {
            return Optional.empty();
        }
        String id = pin.getFileName().toString();
        try (Namespace namespace = pinned.get(); Route route = Route.in(namespace)) {
            List<Link> links = route.links();
            Map<Integer, Link> vxlans = new HashMap<>();
            links.stream().filter(link -> link.tunnel().isPresent())
                    .forEach(vxlan -> vxlan.master().ifPresent(bridge -> vxlans.put(bridge, vxlan)));
            List<Subnet> subnets = new ArrayList<>();
            int mtu = 0;
            // In the order in which they were made, which is that of the definition.
            for (Link bridge : links.stream().sorted(Comparator.comparing(Link::index)).toList()) {
                Link vxlan = vxlans.get(bridge.index());
                List<Cidr> gateways = route.addresses(bridge);
                if (vxlan != null && !gateways.isEmpty()) {
                    Tunnel tunnel = vxlan.tunnel().orElseThrow();
                    Cidr gateway = gateways.getFirst();
                    subnets.add(new Subnet(gateway.network(), gateway, tunnel.vni()));
                    boolean ipv6 = tunnel.local().filter(Inet6Address.class::isInstance).isPresent();
                    mtu = Network.linkMtuOverIpv4(vxlan.mtu(), ipv6);
                }
            }
            if (subnets.isEmpty()) {
                log.error("what stands in {} is no whole network; it is left as it is", pin);
                return Optional.empty();
            }
            boolean marked = isMarked(namespace, id);
            return Optional.of(new Found(new Network(id, marked, mtu, List.copyOf(subnets)), marked));
        }
    }

    private static boolean isMarked(Namespace namespace, String id) {
        try {
            return FrameMark.isSet(namespace);
        } catch (FirewallException failure) {
            log.warn("whether the frames of network {} are marked cannot be told: {}", id, failure.getMessage());
            return false;
        }
    }
}
