package io.vxseal.plugin;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Requests of the engine, a record each (moby, libnetwork/drivers/remote/api and libnetwork/discoverapi). The components' names are the
 * fields' names ({@link ProtocolNames}). A field that the engine omits is null here and nowhere else: {@link Fields} reads them.
 */
final class Requests {
    private Requests() {}

    record IpamData(@Nullable String addressSpace, @Nullable String pool, @Nullable String gateway) {}

    /** Request of AllocateNetwork, with the user's options, and of CreateNetwork, with the engine's. */
    record Definition(
            @Nullable String networkId,
            @Nullable Map<String, Object> options,
            @Nullable List<IpamData> ipv4Data,
            @Nullable List<IpamData> ipv6Data) {}

    /** Request of FreeNetwork and DeleteNetwork. */
    record NetworkOnly(@Nullable String networkId) {}

    record Interface(@Nullable String address, @Nullable String addressIpv6, @Nullable String macAddress) {}

    record CreateEndpoint(@Nullable String networkId, @Nullable String endpointId, @Nullable Interface interface_) {}

    /** Request of DeleteEndpoint, EndpointOperInfo, Leave, ProgramExternalConnectivity and RevokeExternalConnectivity. */
    record EndpointOnly(@Nullable String networkId, @Nullable String endpointId) {}

    record Join(@Nullable String networkId, @Nullable String endpointId, @Nullable String sandboxKey) {}

    record Discovery(int discoveryType, @Nullable DiscoveryData discoveryData) {}

    /**
     * Union of the three kinds of discovery data. The numbers of the types differ between engines (3 is initial keys in 20.10 and 23.0, a
     * key update in 24.0 and later), so the fields that are present tell them apart.
     */
    record DiscoveryData(
            @Nullable String address,
            @Nullable String bindAddress,
            boolean self,
            @Nullable List<byte[]> keys,
            @Nullable List<Long> tags,
            byte @Nullable [] key,
            long tag,
            byte @Nullable [] primary,
            long primaryTag,
            byte @Nullable [] prune,
            long pruneTag) {}
}
