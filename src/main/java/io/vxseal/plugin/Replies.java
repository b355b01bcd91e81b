package io.vxseal.plugin;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;
import java.util.Map;

/** What the engine is answered, a record per reply (moby, libnetwork/drivers/remote/api). */
final class Replies {
    private Replies() {}

    record Activation(@JsonProperty("Implements") List<String> kinds) {}

    record Capabilities(
            @JsonProperty("Scope") String scope,
            @JsonProperty("ConnectivityScope") String connectivityScope,
            @JsonProperty("GwAllocChecker") boolean gwAllocChecker) {}

    record GwAllocCheck(@JsonProperty("SkipIPv4") boolean skipIpv4, @JsonProperty("SkipIPv6") boolean skipIpv6) {}

    /** Nothing to say: {@code {}}. */
    record Empty() {}

    record Allocated(@JsonProperty("Options") Map<String, String> options) {}

    @JsonInclude(JsonInclude.Include.NON_EMPTY)
    record Interface(@JsonProperty("MacAddress") String macAddress) {}

    record EndpointCreated(@JsonProperty("Interface") Interface link) {}

    record EndpointInfo(@JsonProperty("Value") Map<String, String> value) {}

    record InterfaceName(
            @JsonProperty("SrcName") String sourceName, @JsonProperty("DstPrefix") String destinationPrefix) {}

    /** RouteType 0: by the next hop. */
    record StaticRoute(
            @JsonProperty("Destination") String destination,
            @JsonProperty("RouteType") int routeType,
            @JsonProperty("NextHop") String nextHop) {}

    record Joined(
            @JsonProperty("InterfaceName") InterfaceName interfaceName,
            @JsonProperty("StaticRoutes") List<StaticRoute> staticRoutes) {}

    /** To an operator, who has rotated the keys: in this program's own spelling. */
    record Rotation(long ringVersion, String message) {}

    record Failure(@JsonProperty("Err") String error) {}
}
