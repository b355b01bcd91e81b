package io.vxseal.plugin;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What the engine posts, a record per request (moby, libnetwork/drivers/remote/api and libnetwork/discoverapi), whose
 * names are the fields' ({@link ProtocolNames}). A field that the engine left out is null here and nowhere else:
 * {@link Fields} reads them.
 */
final class Requests {
    private Requests() {}

    record IpamData(@Nullable String addressSpace, @Nullable String pool, @Nullable String gateway) {}

    /** Of AllocateNetwork and CreateNetwork; the options of the one are the user's, of the other the engine's. */
    record Definition(
            @Nullable String networkId,
            @Nullable Map<String, Object> options,
            @Nullable List<IpamData> ipv4Data,
            @Nullable List<IpamData> ipv6Data) {}

    /** Of FreeNetwork and DeleteNetwork. */
    record NetworkOnly(@Nullable String networkId) {}

    record Interface(@Nullable String address, @Nullable String addressIpv6, @Nullable String macAddress) {}

    record CreateEndpoint(@Nullable String networkId, @Nullable String endpointId, @Nullable Interface interface_) {}

    /** Of DeleteEndpoint, EndpointOperInfo, Leave, and the external connectivity pair. */
    record EndpointOnly(@Nullable String networkId, @Nullable String endpointId) {}

    record Join(@Nullable String networkId, @Nullable String endpointId, @Nullable String sandboxKey) {}

    record Discovery(int discoveryType, @Nullable DiscoveryData discoveryData) {}

    /**
     * The union of the three shapes of discovery data. The numbers of the types moved between engines (3 is initial
     * keys to 20.10 and 23.0, a key update to 24.0 and later), so the fields that are there tell them apart.
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
