package io.vxseal.services;

import io.vxseal.address.Cidr;
import io.vxseal.services.Question.ServiceName;
import java.net.InetAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * The services of one network: their virtual addresses (VIPs) and the tasks behind each, as learnt from the network's endpoints and the
 * engine's name server.
 *
 * <p>The name of an endpoint contains its service. The service's name resolves to its VIPs, and {@code tasks.SERVICE} to the tasks that take new
 * connections; both also to those of a service that has this name for an alias. The engine forwards a question about a name that it does not have to name servers outside, which may answer anything or
 * nothing. So only known endpoints count as tasks, only addresses of the network's subnets as VIPs, and silence changes nothing.
 *
 * <p>Pure: time is a parameter, in nanoseconds. For one thread at a time.
 */
final class Catalogue {
    private static final Comparator<InetAddress> BY_OCTETS =
            (one, other) -> Arrays.compareUnsigned(one.getAddress(), other.getAddress());

    /** Time in which the engine may still answer for the former endpoint of an address. */
    private static final long NAME_DELAY = Duration.ofSeconds(30).toNanos();

    /** Time that the VIP of a service without endpoints goes on refusing connections. */
    private static final long LINGER = Duration.ofMinutes(10).toNanos();

    /** Time that services of an earlier process have to be confirmed, from the first answer on. */
    private static final long CONFIRMATION = Duration.ofSeconds(3).toNanos();

    private final List<Cidr> pools;
    private final Set<InetAddress> gateways;
    private final Map<InetAddress, Known> endpoints = new HashMap<>();
    private final NavigableMap<ServiceName, Service> services = new TreeMap<>();

    /** Whether endpoints of other nodes may still be unknown, as after a start. */
    private boolean partial;

    /** When endpoints left, by address. For a while the engine may still give their addresses to their services. */
    private final Map<InetAddress, Long> left = new HashMap<>();

    private Optional<Long> firstAnswer = Optional.empty();

    /** An endpoint, and its service as far as it is known. */
    private static final class Known {
        final String id;
        final long since;
        Optional<ServiceName> service = Optional.empty();
        /** Whether the engine has named it. */
        boolean named;
        /** Whether it had only a name that is not of this network: one of a name server outside, or of a container that is no task. */
        boolean foreign;
        /** Whether it was among its service's tasks once. */
        boolean served;

        Known(String id, long now) {
            this.id = id;
            this.since = now;
        }
    }

    private static final class Service {
        final ServiceAnswers answers;
        /** Number of endpoints that are this service's. */
        int endpoints;
        long lastEndpoint;

        Service(long now) {
            answers = new ServiceAnswers(now);
            lastEndpoint = now;
        }
    }

    /**
     * A service in status.
     *
     * @param name as in the swarm
     * @param addresses its VIPs; none for one without, as with {@code --endpoint-mode dnsrr}
     * @param tasks that take new connections
     * @param draining tasks that took new connections, do not any more, and still run
     */
    record Entry(String name, List<InetAddress> addresses, List<InetAddress> tasks, List<InetAddress> draining) {}

    /**
     * An endpoint whose service is not known for certain.
     *
     * @param since when it was added
     * @param foreign whether the last answer was no name of this network
     */
    record Unnamed(long since, boolean foreign) {}

    /**
     * @param pools the network's subnets
     * @param gateways addresses of the network's own, which are no service's
     * @param remembered services that an earlier process knew
     */
    Catalogue(List<Cidr> pools, Collection<InetAddress> gateways, Collection<ServiceName> remembered, long now) {
        this.pools = List.copyOf(pools);
        this.gateways = Set.copyOf(gateways);
        remembered.forEach(name -> service(name, now));
    }

    /** Sets whether endpoints of other nodes may still be unknown. As long as they are, unknown addresses of tasks count, too. */
    void setPartial(boolean now) {
        partial = now;
    }

    boolean isPartial() {
        return partial;
    }

    /** Adds an endpoint, in place of another one with its address. */
    void add(InetAddress address, String id, long now) {
        Known known = endpoints.get(address);
        if (known == null || !known.id.equals(id)) {
            if (known != null) {
                assign(known, Optional.empty(), now);
            }
            endpoints.put(address, new Known(id, now));
            left.remove(address);
        }
    }

    /** Removes an endpoint: no service has its task any more, whatever the engine still answers. */
    void remove(InetAddress address, long now) {
        Known known = endpoints.remove(address);
        if (known == null) {
            return;
        }
        left.put(address, now);
        services.values().forEach(service -> service.answers.removeAddress(address, now));
        assign(known, Optional.empty(), now);
    }

    private void assign(Known known, Optional<ServiceName> name, long now) {
        if (!known.service.equals(name)) {
            known.service.ifPresent(before -> {
                service(before, now).endpoints--;
                service(before, now).lastEndpoint = now;
            });
            name.ifPresent(next -> {
                service(next, now).endpoints++;
                service(next, now).answers.expect(now);
            });
            known.service = name;
        }
    }

    /** Returns whether an endpoint is known at this address. */
    boolean has(InetAddress address) {
        return endpoints.containsKey(address);
    }

    /** Returns the endpoints whose name is unknown, or may be their predecessor's. */
    Map<InetAddress, Unnamed> unnamed(long now) {
        Map<InetAddress, Unnamed> unnamed = new HashMap<>();
        endpoints.forEach((address, known) -> {
            if (isUnnamed(address, known, now)) {
                unnamed.put(address, new Unnamed(known.since, known.foreign));
            }
        });
        return unnamed;
    }

    /** Returns whether a VIP refuses connections because its service has no endpoint, one of which may be its next. */
    boolean hasServiceWithoutEndpoints() {
        return services.values().stream().anyMatch(service -> !isExpected(service) && !service.answers.addresses().isEmpty());
    }

    private boolean isUnnamed(InetAddress address, Known known, long now) {
        return !known.named
                || known.service.map(services::get)
                        .map(service -> !service.answers.tasks().contains(address))
                        .orElse(now - known.since < NAME_DELAY);
    }

    /** Returns the services that the engine can be expected to have, so that it does not forward questions about them. */
    Map<ServiceName, ServiceAnswers> expected() {
        Map<ServiceName, ServiceAnswers> expected = new TreeMap<>();
        services.forEach((name, service) -> {
            if (isExpected(service)) {
                expected.put(name, service.answers);
            }
        });
        return expected;
    }

    private boolean isExpected(Service service) {
        return partial || service.endpoints > 0;
    }

    private Service service(ServiceName name, long now) {
        return services.computeIfAbsent(name, _ -> new Service(now));
    }

    /**
     * Takes an endpoint's name. The engine has none of a task that is not healthy yet, and forwards the question: a name that is not of this
     * network is no answer.
     */
    void name(InetAddress address, String name, long now) {
        answered(now);
        Known known = endpoints.get(address);
        if (known == null) {
            return;
        }
        Optional<ServiceName> service = ServiceName.ofEndpoint(name);
        known.foreign = service.isEmpty() && services.keySet().stream().noneMatch(other -> name.endsWith("." + other.network()));
        if (!known.foreign) {
            known.named = true;
            assign(known, service, now);
        }
    }

    /** Takes a service's addresses. None, or one outside of the network, change nothing: the engine does not have the name. */
    void addresses(ServiceName name, Collection<InetAddress> answer, long now) {
        Service service = services.get(name);
        if (service == null || answer.isEmpty() || !answer.stream().allMatch(this::isOfNetwork)) {
            return;
        }
        answered(now);
        service.answers.takeAddresses(answer, now);
    }

    /** Takes the addresses of a service's tasks ({@link ServiceAnswers#takeTasks}). */
    void tasks(ServiceName name, Collection<InetAddress> answer, long asked, long now) {
        Service service = services.get(name);
        if (service == null) {
            return;
        }
        Set<InetAddress> tasks = new HashSet<>(answer);
        tasks.removeIf(address -> !isOfNetwork(address));
        if (!service.answers.takeTasks(tasks, asked, now)) {
            return;
        }
        answered(now);
        for (InetAddress task : tasks) {
            Known known = endpoints.get(task);
            if (known != null && !isOfAnother(name, task)) {
                known.served = true;
                known.named &= known.service.equals(Optional.of(name));
                assign(known, Optional.of(name), now);
            }
        }
    }

    /** Returns whether an address among the tasks of a service is a task of another one, which has that service's name for an alias. */
    private boolean isOfAnother(ServiceName name, InetAddress task) {
        Known known = endpoints.get(task);
        return known != null && known.service.filter(owner -> !owner.equals(name)).map(services::get)
                .filter(owner -> owner.answers.mayHave(task, known.named)).isPresent();
    }

    private void answered(long now) {
        if (firstAnswer.isEmpty()) {
            firstAnswer = Optional.of(now);
        }
    }

    private boolean isOfNetwork(InetAddress address) {
        return pools.stream().anyMatch(pool -> pool.contains(address));
    }

    /**
     * Forgets what is past: endpoints that left, services that had no endpoint for long, and VIPs of services that the engine does not have any
     * more and has given to others.
     *
     * @return whether {@link #backends} may have changed
     */
    boolean forget(long now) {
        boolean changed = left.values().removeIf(since -> now - since > NAME_DELAY);
        // Until then another service's answer may still have the VIP because that service's name was this one's alias.
        List<Service> past = services.values().stream()
                .filter(service -> now - Math.max(service.lastEndpoint, service.answers.confirmed()) > NAME_DELAY).toList();
        if (!past.isEmpty()) {
            Set<InetAddress> given = new HashSet<>();
            services.values().stream().filter(service -> now - service.answers.confirmed() <= NAME_DELAY)
                    .forEach(service -> given.addAll(service.answers.addresses()));
            for (Service service : past) {
                changed |= service.answers.giveUp(given);
            }
        }
        changed |= services.values().removeIf(service -> !isExpected(service) && now - service.lastEndpoint > LINGER);
        return changed;
    }

    /**
     * Returns whether the catalogue is as good as an earlier process's: each service that it knew was confirmed, or had the time to
     * be while the engine answered.
     */
    boolean isConfirmed(long now) {
        return firstAnswer.isPresent()
                && (now - firstAnswer.get() > CONFIRMATION
                        || services.values().stream().allMatch(service -> service.answers.isComplete()));
    }

    /** Returns the names of all services. */
    List<ServiceName> names() {
        return List.copyOf(services.keySet());
    }

    /**
     * Returns the VIPs, each with its tasks in the order of their addresses. An address of an endpoint is none. Where the answers for
     * two services have the same address, as with a service that is another's alias, the one with fewer addresses has it.
     */
    NavigableMap<InetAddress, List<InetAddress>> backends() {
        NavigableMap<InetAddress, List<InetAddress>> backends = new TreeMap<>(BY_OCTETS);
        vips().forEach((name, vips) -> {
            List<InetAddress> tasks = List.copyOf(tasks(name));
            vips.forEach(vip -> backends.put(vip, tasks));
        });
        return backends;
    }

    private NavigableMap<ServiceName, NavigableSet<InetAddress>> vips() {
        Set<InetAddress> used = new HashSet<>(endpoints.keySet());
        used.addAll(left.keySet());
        used.addAll(gateways);
        services.values().forEach(service -> used.addAll(service.answers.tasks()));
        NavigableMap<ServiceName, NavigableSet<InetAddress>> vips = new TreeMap<>();
        services.entrySet().stream()
                .sorted(Comparator.comparingInt((Map.Entry<ServiceName, Service> named) -> named.getValue().answers.addresses().size())
                        .thenComparing(Map.Entry::getKey))
                .forEach(named -> {
                    NavigableSet<InetAddress> own = new TreeSet<>(BY_OCTETS);
                    own.addAll(named.getValue().answers.addresses());
                    own.removeAll(used);
                    used.addAll(own);
                    vips.put(named.getKey(), own);
                });
        return vips;
    }

    private NavigableSet<InetAddress> tasks(ServiceName name) {
        NavigableSet<InetAddress> tasks = new TreeSet<>(BY_OCTETS);
        Service service = services.get(name);
        if (service != null) {
            service.answers.tasks().stream()
                    .filter(task -> endpoints.containsKey(task) || partial && !left.containsKey(task))
                    .filter(task -> !isOfAnother(name, task))
                    .forEach(tasks::add);
        }
        return tasks;
    }

    /** Returns the services for status. */
    List<Entry> entries() {
        List<Entry> entries = new ArrayList<>();
        vips().forEach((name, vips) -> {
            NavigableSet<InetAddress> tasks = tasks(name);
            NavigableSet<InetAddress> draining = new TreeSet<>(BY_OCTETS);
            endpoints.forEach((address, known) -> {
                if (known.service.equals(Optional.of(name)) && known.served && !tasks.contains(address)) {
                    draining.add(address);
                }
            });
            entries.add(new Entry(name.service(), List.copyOf(vips), List.copyOf(tasks), List.copyOf(draining)));
        });
        return entries;
    }
}
