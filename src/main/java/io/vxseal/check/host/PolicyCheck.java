package io.vxseal.check.host;

import io.vxseal.check.Finding;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.route.Link;
import io.vxseal.kernel.route.Route;
import io.vxseal.kernel.xfrm.ForeignPolicy;
import io.vxseal.kernel.xfrm.SecurityPolicy;
import io.vxseal.kernel.xfrm.Xfrm;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Check whether another program's IPsec policies take or drop packets of encrypted networks.
 *
 * @param host the host's network namespace
 * @param port UDP port of VXLAN
 */
public record PolicyCheck(Namespace host, int port, Node node) implements HostProbe {
    private static final String CHECK = "foreign policies";

    @Override
    public List<Finding> run() throws KernelException {
        try (Xfrm xfrm = Xfrm.in(host)) {
            List<ForeignPolicy> foreigners = xfrm.listedPolicies().stream()
                    .filter(ForeignPolicy.class::isInstance)
                    .map(ForeignPolicy.class::cast)
                    .toList();
            for (ForeignPolicy foreign : foreigners) {
                if (foreign.mayPrecede(SecurityPolicy.Action.Seal.PRIORITY)
                        && foreign.takesFrom(foreign.source().address(), port, SecurityPolicy.MARK)) {
                    return List.of(Finding.unfit(CHECK,
                            "%s may take packets of encrypted networks, which are dropped then".formatted(foreign),
                            "give it another priority than 0 in the VPN's configuration, or remove it: ip xfrm policy"));
                }
            }
            Optional<ForeignPolicy> dropping = dropping(foreigners);
            if (dropping.isPresent()) {
                return List.of(Finding.unfit(CHECK,
                        "%s drops packets of encrypted networks that arrive from other nodes".formatted(dropping.get()),
                        "narrow its addresses in the VPN's configuration, or remove it: ip xfrm policy"));
            }
            return List.of(Finding.fit(CHECK, "no other program's IPsec policy takes packets of encrypted networks"));
        }
    }

    /** Returns a policy that drops what arrives here, from a node that is known or, if none is, from any address. */
    private Optional<ForeignPolicy> dropping(List<ForeignPolicy> policies) throws KernelException {
        List<InetAddress> own = node.isKnown() ? List.of(node.address().get()) : hostAddresses();
        for (ForeignPolicy policy : policies) {
            boolean fromNode = node.others().isEmpty()
                    ? policy.source().prefix() == 0
                    : node.others().stream().anyMatch(policy.source()::contains);
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
}
