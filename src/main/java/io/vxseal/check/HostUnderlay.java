package io.vxseal.check;

import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.route.Route;
import io.vxseal.kernel.xfrm.Xfrm;
import java.net.InetAddress;
import java.util.Optional;

/** What the kernel knows in a host's namespace, asked anew each time: the paths that pass do not need it. */
public record HostUnderlay(Namespace host) implements Underlay {
    @Override
    public Optional<String> link(InetAddress node) throws KernelException {
        try (Route route = Route.in(host)) {
            return route.routes().link(node);
        }
    }

    @Override
    public long opened(InetAddress node) throws KernelException {
        try (Xfrm xfrm = Xfrm.in(host)) {
            return xfrm.installedStates().stream()
                    .filter(state -> state.association().id().source().equals(node))
                    .mapToLong(state -> state.usage().packets())
                    .sum();
        }
    }
}
