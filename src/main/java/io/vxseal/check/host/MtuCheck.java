package io.vxseal.check.host;

import io.vxseal.check.Finding;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.route.Link;
import io.vxseal.kernel.route.Route;
import java.util.List;

/**
 * Check whether the link that datagrams take carries packets of the usual size.
 *
 * @param host the host's network namespace
 */
public record MtuCheck(Namespace host, Node node) implements HostProbe {
    private static final String CHECK = "MTU";
    private static final int USUAL_MTU = 1500;

    @Override
    public List<Finding> run() throws KernelException {
        try (Route route = Route.in(host)) {
            List<Link> links = node.isKnown()
                    ? route.links().withAddress(node.address().get()).stream().toList()
                    : route.links().list().stream().filter(link -> link.up() && link.kind().isEmpty()).toList();
            for (Link link : links) {
                if (link.mtu() < USUAL_MTU) {
                    String found = "link %s carries packets of %d octets: networks that are allocated elsewhere need %d by default"
                                    .formatted(link.name(), link.mtu(), USUAL_MTU);
                    String remedy = "docker network create --opt com.docker.network.driver.mtu=%d …".formatted(link.mtu());
                    // Which link the datagrams take is not known without a plugin.
                    return List.of(node.isKnown() ? Finding.unfit(CHECK, found, remedy) : Finding.warning(CHECK, found, remedy));
                }
            }
            return List.of(Finding.fit(CHECK, "%s packets of %d octets".formatted(
                    node.isKnown() ? "the link with this node's address carries" : "all links carry", USUAL_MTU)));
        }
    }
}
