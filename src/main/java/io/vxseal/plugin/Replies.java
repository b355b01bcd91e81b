package io.vxseal.plugin;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What the engine is answered, a record per reply (moby, libnetwork/drivers/remote/api), whose names are the fields'
 * ({@link ProtocolNames}).
 */
final class Replies {
    private Replies() {}

    record Activation(List<String> implements_) {}

    record Capabilities(String scope, String connectivityScope, boolean gwAllocChecker) {}

    record GwAllocCheck(boolean skipIpv4, boolean skipIpv6) {}

    /** Nothing to say: {@code {}}. */
    record Empty() {}

    record Allocated(Map<String, String> options) {}

    /** Null is left out: the engine's own address is not to be said again. */
    record Interface(@Nullable String macAddress) {}

    record EndpointCreated(Interface interface_) {}

    record EndpointInfo(Map<String, String> value) {}

    record InterfaceName(String srcName, String dstPrefix) {}

    /** RouteType 0: by the next hop. */
    record StaticRoute(String destination, int routeType, String nextHop) {}

    record Joined(InterfaceName interfaceName, List<StaticRoute> staticRoutes) {}

    record Failure(String err) {}
}
