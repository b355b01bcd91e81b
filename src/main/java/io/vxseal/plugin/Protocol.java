package io.vxseal.plugin;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.address.NodeAddresses;
import io.vxseal.encryption.Key;
import io.vxseal.overlay.Driver;
import io.vxseal.overlay.DriverException;
import io.vxseal.overlay.Joined;
import io.vxseal.overlay.Network;
import java.net.InetAddress;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/** Methods of the remote driver protocol. Each reads a request, calls the driver and forms the reply. */
final class Protocol {
    /** Scope of a swarm's networks: the leading manager allocates, and node discovery reaches the driver. */
    private static final String GLOBAL = "global";

    private final Driver driver;

    Protocol(Driver driver) {
        this.driver = driver;
    }

    Replies.Activation activate() {
        return new Replies.Activation(List.of("NetworkDriver"));
    }

    /**
     * Begins a leader's term, and returns the capabilities. The engine asks for them when it starts the plugin, and the
     * swarm's allocator at the start of each term.
     */
    Replies.Capabilities getCapabilities() {
        driver.beginTerm();
        return new Replies.Capabilities(GLOBAL, GLOBAL, true);
    }

    /**
     * Returns that no gateway's allocation may be skipped: an overlay's gateway is its bridge, whose address every
     * network has.
     */
    Replies.GwAllocCheck gwAllocCheck() {
        return new Replies.GwAllocCheck(false, false);
    }

    Replies.Allocated allocateNetwork(Requests.Definition request) throws DriverException {
        String id = Fields.id("NetworkID", request.networkId());
        return new Replies.Allocated(driver.allocateNetwork(
                id, Fields.options(request.options()), Fields.pools(request.ipv4Data(), request.ipv6Data())));
    }

    Replies.Empty freeNetwork(Requests.NetworkOnly request) throws DriverException {
        driver.freeNetwork(Fields.id("NetworkID", request.networkId()));
        return new Replies.Empty();
    }

    Replies.Empty createNetwork(Requests.Definition request) throws DriverException {
        driver.createNetwork(Network.of(
                Fields.id("NetworkID", request.networkId()),
                Fields.genericOptions(request.options()),
                Fields.pools(request.ipv4Data(), request.ipv6Data())));
        return new Replies.Empty();
    }

    Replies.Empty deleteNetwork(Requests.NetworkOnly request) throws DriverException {
        driver.deleteNetwork(Fields.id("NetworkID", request.networkId()));
        return new Replies.Empty();
    }

    Replies.EndpointCreated createEndpoint(Requests.CreateEndpoint request) throws DriverException {
        String network = Fields.id("NetworkID", request.networkId());
        String id = Fields.id("EndpointID", request.endpointId());
        if (request.interface_() == null) {
            throw DriverException.invalid("Interface", "", "want an object with an Address");
        }
        Cidr address = Fields.ipv4("Address", request.interface_().address());
        Optional<MacAddress> asked = Fields.mac("MacAddress", request.interface_().macAddress());
        MacAddress mac = driver.createEndpoint(network, id, address, asked);
        return new Replies.EndpointCreated(new Replies.Interface(asked.isPresent() ? null : mac.toString()));
    }

    Replies.Empty deleteEndpoint(Requests.EndpointOnly request) throws DriverException {
        driver.deleteEndpoint(network(request), endpoint(request));
        return new Replies.Empty();
    }

    Replies.EndpointInfo endpointOperInfo(Requests.EndpointOnly request) throws DriverException {
        return new Replies.EndpointInfo(driver.endpointInfo(network(request), endpoint(request)));
    }

    Replies.Joined join(Requests.Join request) throws DriverException {
        String network = Fields.id("NetworkID", request.networkId());
        String id = Fields.id("EndpointID", request.endpointId());
        Joined joined = driver.join(network, id, Fields.fileName("SandboxKey", request.sandboxKey()));
        String nextHop = joined.gateway().getHostAddress();
        return new Replies.Joined(
                new Replies.InterfaceName(joined.link(), "eth"),
                joined.routes().stream()
                        .map(subnet -> new Replies.StaticRoute(subnet.toString(), 0, nextHop))
                        .toList());
    }

    Replies.Empty leave(Requests.EndpointOnly request) throws DriverException {
        driver.leave(network(request), endpoint(request));
        return new Replies.Empty();
    }

    /** Programs nothing: external connectivity of an overlay is by the engine's own docker_gwbridge. */
    Replies.Empty externalConnectivity(Requests.EndpointOnly request) throws DriverException {
        driver.endpointInfo(network(request), endpoint(request));
        return new Replies.Empty();
    }

    Replies.Empty discoverNew(Requests.Discovery request) throws DriverException {
        Requests.DiscoveryData data = data(request);
        if (data.keys() != null) {
            driver.initialKeys(Fields.keys(data.keys(), data.tags()));
        } else if (data.key() != null || data.primary() != null || data.prune() != null) {
            updateKeys(data);
        } else {
            node(data);
        }
        return new Replies.Empty();
    }

    Replies.Empty discoverDelete(Requests.Discovery request) throws DriverException {
        Requests.DiscoveryData data = data(request);
        if (!data.self() && data.address() != null) {
            driver.nodeLost(Fields.address("Address", data.address()));
        }
        return new Replies.Empty();
    }

    private void node(Requests.DiscoveryData data) throws DriverException {
        InetAddress address = Fields.address("Address", data.address());
        if (!data.self()) {
            driver.nodeFound(address);
            return;
        }
        boolean bound = !Fields.orEmpty(data.bindAddress()).isEmpty();
        InetAddress bind = bound ? Fields.address("BindAddress", data.bindAddress()) : address;
        driver.self(new NodeAddresses(address, bind.isAnyLocalAddress() ? address : bind));
    }

    private void updateKeys(Requests.DiscoveryData data) throws DriverException {
        Optional<Key> added =
                data.key() == null ? Optional.empty() : Optional.of(Fields.key("Key", data.key(), data.tag()));
        driver.updateKeys(
                added,
                data.primary() == null
                        ? OptionalInt.empty()
                        : OptionalInt.of(Fields.tag("PrimaryTag", data.primaryTag())),
                data.prune() == null ? OptionalInt.empty() : OptionalInt.of(Fields.tag("PruneTag", data.pruneTag())));
    }

    private static Requests.DiscoveryData data(Requests.Discovery request) throws DriverException {
        if (request.discoveryData() == null) {
            throw DriverException.invalid("DiscoveryData", "", "want an object");
        }
        return request.discoveryData();
    }

    private static String network(Requests.EndpointOnly request) throws DriverException {
        return Fields.id("NetworkID", request.networkId());
    }

    private static String endpoint(Requests.EndpointOnly request) throws DriverException {
        return Fields.id("EndpointID", request.endpointId());
    }
}
