package io.vxseal.plugin;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;
import java.util.Map;

/**
 * What the engine posts, a record per request (moby, libnetwork/drivers/remote/api and libnetwork/discoverapi). A field
 * that the engine left out is null here and nowhere else: {@link Fields} reads them.
 */
final class Requests {
    private Requests() {}

    record IpamData(
            @JsonProperty("AddressSpace") String addressSpace,
            @JsonProperty("Pool") String pool,
            @JsonProperty("Gateway") String gateway) {}

    /** Of AllocateNetwork and CreateNetwork; the options of the one are the user's, of the other the engine's. */
    record Definition(
            @JsonProperty("NetworkID") String networkId,
            @JsonProperty("Options") Map<String, Object> options,
            @JsonProperty("IPv4Data") List<IpamData> ipv4Data,
            @JsonProperty("IPv6Data") List<IpamData> ipv6Data) {}

    /** Of FreeNetwork and DeleteNetwork. */
    record NetworkOnly(@JsonProperty("NetworkID") String networkId) {}

    record Interface(
            @JsonProperty("Address") String address,
            @JsonProperty("AddressIPv6") String addressIpv6,
            @JsonProperty("MacAddress") String macAddress) {}

    record CreateEndpoint(
            @JsonProperty("NetworkID") String networkId,
            @JsonProperty("EndpointID") String endpointId,
            @JsonProperty("Interface") Interface link) {}

    /** Of DeleteEndpoint, EndpointOperInfo, Leave, and the external connectivity pair. */
    record EndpointOnly(
            @JsonProperty("NetworkID") String networkId, @JsonProperty("EndpointID") String endpointId) {}

    record Join(
            @JsonProperty("NetworkID") String networkId,
            @JsonProperty("EndpointID") String endpointId,
            @JsonProperty("SandboxKey") String sandboxKey) {}

    record Discovery(
            @JsonProperty("DiscoveryType") int type, @JsonProperty("DiscoveryData") DiscoveryData data) {}

    /**
     * The union of the three shapes of discovery data. The numbers of the types moved between engines (3 is initial
     * keys to 20.10 and 23.0, a key update to 24.0 and later), so the fields that are there tell them apart.
     */
    record DiscoveryData(
            @JsonProperty("Address") String address,
            @JsonProperty("BindAddress") String bindAddress,
            @JsonProperty("Self") boolean self,
            @JsonProperty("Keys") List<byte[]> keys,
            @JsonProperty("Tags") List<Long> tags,
            @JsonProperty("Key") byte[] key,
            @JsonProperty("Tag") long tag,
            @JsonProperty("Primary") byte[] primary,
            @JsonProperty("PrimaryTag") long primaryTag,
            @JsonProperty("Prune") byte[] prune,
            @JsonProperty("PruneTag") long pruneTag) {}
}
