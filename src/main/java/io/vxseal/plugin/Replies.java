package io.vxseal.plugin;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Replies to the engine, a record each (moby, libnetwork/drivers/remote/api). The components' names are the fields' names
 * ({@link ProtocolNames}).
 */
final class Replies {
    private Replies() {}

    record Activation(List<String> implements_) {}

    record Capabilities(String scope, String connectivityScope, boolean gwAllocChecker) {}

    record GwAllocCheck(boolean skipIpv4, boolean skipIpv6) {}

    /** The empty reply, {@code {}}. */
    record Empty() {}

    record Allocated(Map<String, String> options) {}

    /** Without a MAC address (null) if the engine gave one: it must not be repeated. */
    record Interface(@Nullable String macAddress) {}

    record EndpointCreated(Interface interface_) {}

    record EndpointInfo(Map<String, String> value) {}

    record InterfaceName(String srcName, String dstPrefix) {}

    /** RouteType 0 is a route by next hop. */
    record StaticRoute(String destination, int routeType, String nextHop) {}

    record Joined(InterfaceName interfaceName, List<StaticRoute> staticRoutes) {}

    record Failure(String err) {}
}
