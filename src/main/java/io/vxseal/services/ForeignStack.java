package io.vxseal.services;

import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.route.Link;
import io.vxseal.kernel.route.Route;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Signs that a container's packets pass a network stack of its runtime's, not the kernel's in its network namespace, so that rules there do
 * not meet them.
 *
 * <p>gVisor removes the addresses from the links that it takes packets from ({@code runsc/sandbox/network.go}). Kata connects a virtual
 * machine by a link of its own ({@code createNetworkInterfacePair} in its runtime).
 */
final class ForeignStack {
    private static final Pattern TAP_OF_KATA = Pattern.compile("tap\\d+_kata");

    private ForeignStack() {}

    /** Returns the sign that a container's namespace shows, in words; empty if it shows none. */
    static Optional<String> sign(Namespace namespace) throws KernelException {
        try (Route route = Route.in(namespace)) {
            List<Link> links = route.links().list();
            Optional<Link> tap = links.stream().filter(link -> TAP_OF_KATA.matcher(link.name()).matches()).findFirst();
            if (tap.isPresent()) {
                return Optional.of("link %s in its network namespace is a Kata container's, whose packets meet no rules there"
                        .formatted(tap.get().name()));
            }
            // The engine sets a link up after its addresses.
            List<Link> up = links.stream().filter(link -> link.kind().equals("veth") && link.up()).toList();
            for (Link link : up) {
                if (!route.links().addresses(link).isEmpty()) {
                    return Optional.empty();
                }
            }
            return up.isEmpty()
                    ? Optional.empty()
                    : Optional.of("no link in its network namespace has an address, as in a gVisor container, whose packets meet no rules there");
        }
    }
}
