package io.vxseal.plugin;

import java.util.List;
import java.util.Map;

/**
 * Requests of the engine, a record each (moby, libnetwork/drivers/remote/api and libnetwork/discoverapi). The components' names are the
 * fields' names ({@link ProtocolNames}). A field that the engine omits is null here and nowhere else: {@link Fields} reads them.
 */
final class Requests {
    private Requests() {}

    record IpamData(String addressSpace, String pool, String gateway) {}

    /** Request of AllocateNetwork, with the user's options, and of CreateNetwork, with the engine's. */
    record Definition(
            String networkId,
            Map<String, Object> options,
            List<IpamData> ipv4Data,
            List<IpamData> ipv6Data) {}

    /** Request of FreeNetwork and DeleteNetwork. */
    record NetworkOnly(String networkId) {}

    record Interface(String address, String addressIpv6, String macAddress) {}

    record CreateEndpoint(String networkId, String endpointId, Interface interface_) {}

    /** Request of DeleteEndpoint, EndpointOperInfo, Leave, ProgramExternalConnectivity and RevokeExternalConnectivity. */
    record EndpointOnly(String networkId, String endpointId) {}

    record Join(String networkId, String endpointId, String sandboxKey) {}

    record Discovery(int discoveryType, DiscoveryData discoveryData) {}

    /**
     * Union of the three kinds of discovery data. The numbers of the types differ between engines (3 is initial keys in 20.10 and 23.0, a
     * key update in 24.0 and later), so the fields that are present tell them apart.
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
