package io.vxseal.plugin;

import java.util.List;
import java.util.Map;

/**
 * What the engine posts, a record per request (moby, libnetwork/drivers/remote/api and libnetwork/discoverapi), whose
 * names are the fields' ({@link ProtocolNames}). A field that the engine left out is null here and nowhere else:
 * {@link Fields} reads them.
 */
final class Requests {
    private Requests() {}

    record IpamData(String addressSpace, String pool, String gateway) {}

    /** Of AllocateNetwork and CreateNetwork; the options of the one are the user's, of the other the engine's. */
    record Definition(
            String networkId,
            Map<String, Object> options,
            List<IpamData> ipv4Data,
            List<IpamData> ipv6Data) {}

    /** Of FreeNetwork and DeleteNetwork. */
    record NetworkOnly(String networkId) {}

    record Interface(String address, String addressIpv6, String macAddress) {}

    record CreateEndpoint(String networkId, String endpointId, Interface interface_) {}

    /** Of DeleteEndpoint, EndpointOperInfo, Leave, and the external connectivity pair. */
    record EndpointOnly(String networkId, String endpointId) {}

    record Join(String networkId, String endpointId, String sandboxKey) {}

    record Discovery(int discoveryType, DiscoveryData discoveryData) {}

    /**
     * The union of the three shapes of discovery data. The numbers of the types moved between engines (3 is initial
     * keys to 20.10 and 23.0, a key update to 24.0 and later), so the fields that are there tell them apart.
     */
    record DiscoveryData(
            String address,
            String bindAddress,
            boolean self,
            List<byte[]> keys,
            List<Long> tags,
            byte[] key,
            long tag,
            byte[] primary,
            long primaryTag,
            byte[] prune,
            long pruneTag) {}
}
