package io.vxseal.overlay;

import io.vxseal.address.MacAddress;
import io.vxseal.kernel.balancer.BalancerTable;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.peers.Peer;
import io.vxseal.peers.PeerDatabase;
import io.vxseal.services.SandboxSearch;
import io.vxseal.services.ServiceProxy;
import java.io.IOException;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Virtual addresses of services (VIPs) on the networks that are up here, as far as networks, endpoints and peers matter to them. Without
 * them a container still joins: no failure here fails a call.
 */
final class ServiceAddresses implements ServiceProxy.Listener, AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(ServiceAddresses.class);

    private final Host host;
    private final DriverLock lock;
    private final Networks networks;
    private final RepairLog repairs;
    private final Optional<ServiceProxy> proxy;
    private final Optional<MissedAddresses> misses;

    /** Endpoints of an earlier process whose containers' namespaces were not found. */
    private final Set<String> unlocated = ConcurrentHashMap.newKeySet();

    /** Guarded by the driver's lock, after which networks close. */
    private boolean closed;

    ServiceAddresses(Host host, DriverLock lock, Networks networks, RepairLog repairs) {
        this.host = host;
        this.lock = lock;
        this.networks = networks;
        this.repairs = repairs;
        this.proxy = host.services() ? open() : Optional.empty();
        this.misses = proxy.flatMap(_ -> openMisses());
    }

    private Optional<ServiceProxy> open() {
        try {
            return Optional.of(new ServiceProxy(host.sandboxes(), host.pins().resolveSibling("services.json"), this));
        } catch (IOException failure) {
            log.error("the addresses of services are not answered: {}", failure.getMessage());
            return Optional.empty();
        }
    }

    private Optional<MissedAddresses> openMisses() {
        try {
            return Optional.of(new MissedAddresses());
        } catch (KernelException failure) {
            log.warn("cannot watch what containers look for, relying on questions in turn: {}", failure.getMessage());
            return Optional.empty();
        }
    }

    /** Starts to ask the engine for services. */
    void start() {
        proxy.ifPresent(services -> {
            services.start();
            misses.ifPresent(some -> some.start(services::hurryNames));
        });
    }

    /** Makes the VXLAN devices of a network answer ARP requests for its VIPs. Runs on a thread of the services. */
    @Override
    public void vipsChanged(String network, Set<InetAddress> vips) {
        lock.runLocked(() -> networks.find(network).filter(attachment -> attachment.isUp() && !closed).ifPresent(attachment ->
                repairs.tryOnce("answer ARP requests for the services of network " + network, () ->
                        setVips(attachment, vips))));
    }

    private static void setVips(Attachment attachment, Set<InetAddress> vips) throws KernelException {
        attachment.namespace.orElseThrow().entries().setVips(vips, address -> attachment.peers.find(address).isPresent());
    }

    /** Takes over the VIPs for which an earlier process had a network's devices answer ARP requests. Where services are off, removes them. */
    void adoptVips(Attachment attachment) {
        try {
            attachment.namespace.orElseThrow().entries().adoptVips();
            if (proxy.isEmpty()) {
                setVips(attachment, Set.of());
            }
        } catch (KernelException failure) {
            log.warn("could not take over the addresses of services of network {}: {}", attachment.id(), failure.getMessage());
        }
    }

    /** Adds a network that has come up. */
    void up(Attachment attachment) {
        proxy.ifPresent(services -> {
            Map<InetAddress, String> endpoints = new HashMap<>();
            attachment.peers.walk().forEach(peer -> endpoints.put(peer.address().address(), peer.endpoint()));
            List<Subnet> subnets = attachment.network.subnets();
            services.up(
                    attachment.id(),
                    subnets.stream().map(Subnet::pool).toList(),
                    subnets.stream().map(subnet -> subnet.gateway().address()).toList(),
                    endpoints);
            misses.ifPresent(some -> some.watch(attachment.id(), attachment.namespace.orElseThrow()));
        });
    }

    /** Removes a network that goes down. */
    void down(Attachment attachment) {
        proxy.ifPresent(services -> services.down(attachment.id()));
    }

    /** Follows changes of a network's peers, those on this node included. */
    void change(Attachment attachment, Collection<PeerDatabase.Change> changes) {
        proxy.ifPresent(services -> {
            Set<InetAddress> removed = new HashSet<>();
            Map<InetAddress, String> added = new HashMap<>();
            for (PeerDatabase.Change change : changes) {
                if (change.before().map(Peer::endpoint).equals(change.after().map(Peer::endpoint))) {
                    continue;
                }
                change.before().ifPresent(peer -> removed.add(peer.address().address()));
                change.after().ifPresent(peer -> added.put(peer.address().address(), peer.endpoint()));
            }
            if (!removed.isEmpty() || !added.isEmpty()) {
                services.change(attachment.id(), removed, added);
            }
        });
    }

    /** Adds a container here. If its namespace exists, so do the rules in it when this returns. */
    void join(Endpoint endpoint) {
        if (!endpoint.sandbox().isEmpty()) {
            proxy.ifPresent(services -> services.attach(endpoint.network(), endpoint.id(), endpoint.sandbox(), false));
        }
    }

    /** Has the engine asked for no endpoint's name while one leaves. */
    void leaving(String endpoint) {
        proxy.ifPresent(services -> services.leaving(endpoint));
    }

    /** Waits for the engine's answers under way about names. Called without the driver's lock. */
    void awaitNames(String endpoint) {
        proxy.ifPresent(services -> services.awaitNames(endpoint));
    }

    /** Takes note that an endpoint has left: the engine deletes it, or has it join again. */
    void left(String endpoint) {
        proxy.ifPresent(services -> services.left(endpoint));
    }

    /** Removes the rules from a container here. */
    void leave(Endpoint endpoint) {
        unlocated.remove(endpoint.id());
        proxy.ifPresent(services -> services.detach(endpoint.network(), endpoint.id()));
    }

    /**
     * Takes over the containers of an earlier process, with the rules that it made in them. Where services are off, removes the rules.
     *
     * @return the endpoints, with the namespaces that were found for those without
     */
    List<Endpoint> recover(Collection<Endpoint> endpoints) {
        List<Endpoint> found = located(endpoints);
        for (Endpoint endpoint : found) {
            boolean known = !endpoint.sandbox().isEmpty();
            if (known && proxy.isPresent()) {
                proxy.get().attach(endpoint.network(), endpoint.id(), endpoint.sandbox(), true);
            } else if (known) {
                removeRules(endpoint);
            } else if (proxy.isPresent()) {
                unlocated.add(endpoint.id());
                log.warn("found no network namespace of endpoint {} ({}): the addresses of services are not answered in its container",
                        endpoint.id(), endpoint.address());
            }
        }
        return found;
    }

    /** Returns the endpoints, with the namespaces that are found for those without. */
    private List<Endpoint> located(Collection<Endpoint> endpoints) {
        if (proxy.isEmpty() || endpoints.stream().noneMatch(endpoint -> endpoint.sandbox().isEmpty())) {
            return List.copyOf(endpoints);
        }
        Map<MacAddress, String> sandboxes = new HashMap<>();
        try {
            sandboxes.putAll(SandboxSearch.byMac(host.sandboxes()));
        } catch (IOException failure) {
            log.warn("could not look for containers' network namespaces: {}", failure.getMessage());
        }
        return endpoints.stream()
                .map(endpoint -> endpoint.sandbox().isEmpty()
                        ? endpoint.in(sandboxes.getOrDefault(endpoint.mac(), ""))
                        : endpoint)
                .toList();
    }

    private void removeRules(Endpoint endpoint) {
        try {
            Optional<Namespace> opened = Namespace.open(host.sandboxes().resolve(endpoint.sandbox()));
            if (opened.isPresent()) {
                try (Namespace namespace = opened.get(); BalancerTable table = BalancerTable.in(namespace)) {
                    table.remove(ServiceProxy.table(endpoint.network()));
                }
            }
        } catch (KernelException failure) {
            log.warn("could not remove the rules for services from endpoint {}: {}", endpoint.id(), failure.getMessage());
        }
    }

    /** Sets whether endpoints of other nodes may still be unknown. */
    void expectPeers(boolean now) {
        proxy.ifPresent(services -> services.setPartial(now));
    }

    /** Restores the rules in the containers of a network. Returns in how many they were missing or changed. */
    int repair(Attachment attachment) throws KernelException {
        return proxy.isPresent() ? proxy.get().repair(attachment.id()) : 0;
    }

    /** Returns the services for status. */
    List<ServiceProxy.Service> services() {
        return proxy.map(ServiceProxy::services).orElse(List.of());
    }

    /** Returns the endpoints in whose containers services' addresses do not answer, each with the reason. */
    List<String> problems() {
        List<String> problems = new ArrayList<>();
        unlocated.forEach(endpoint -> problems.add("endpoint %.12s: its network namespace was not found".formatted(endpoint)));
        proxy.ifPresent(services -> problems.addAll(services.problems()));
        return problems;
    }

    @Override
    public void close() {
        proxy.ifPresent(ServiceProxy::close);
        lock.runLocked(() -> {
            closed = true;
            misses.ifPresent(MissedAddresses::close);
        });
    }
}
