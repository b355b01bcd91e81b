package io.vxseal.lab;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** The containers, services and networks of a stack, and what each address and host name is of. */
final class Census {
    private static final String LABEL = "com.docker.swarm.";

    private final String prefix;
    private final Map<String, String> networks = new HashMap<>();
    private final Map<String, String> labels = new HashMap<>();
    private final Map<String, String> hosts = new HashMap<>();
    private final Map<String, Service> services = new TreeMap<>();
    private final List<Container> containers = new ArrayList<>();

    /** A service; of a container that belongs to none, a service of its own. */
    static final class Service {
        final Set<String> names = new TreeSet<>();
        final Map<String, String> vips = new TreeMap<>();
        final List<JsonNode> ports = new ArrayList<>();
        int port;

        /** Returns the names that the engine has for its tasks, too. */
        Set<String> allNames() {
            Set<String> all = new TreeSet<>(names);
            names.forEach(name -> all.add("tasks." + name));
            return all;
        }
    }

    /**
     * A running container.
     *
     * @param label what it is
     * @param isTask whether it is a service's
     * @param addresses by network
     */
    record Container(Guest guest, int process, String label, String service, boolean isTask, Map<String, String> addresses) {}

    /** @param former VIPs that services of this stack had, each as what it was */
    Census(String stack, Map<String, String> former) {
        this.prefix = stack + "_";
        labels.putAll(former);
    }

    private String shortName(String name) {
        return name.startsWith(prefix) ? name.substring(prefix.length()) : name;
    }

    private boolean isOfStack(String network) {
        return network.startsWith(prefix);
    }

    void addNetwork(JsonNode network) {
        networks.put(network.path("Id").asText(), network.path("Name").asText());
    }

    void addService(JsonNode spec) {
        String name = shortName(spec.path("Spec").path("Name").asText());
        Service service = services.computeIfAbsent(name, _ -> new Service());
        service.names.add(prefix + name);
        service.port = spec.path("Spec").path("TaskTemplate").path("ContainerSpec").path("Args").path(0).asInt();
        for (JsonNode network : spec.path("Spec").path("TaskTemplate").path("Networks")) {
            network.path("Aliases").forEach(alias -> service.names.add(alias.asText()));
        }
        for (JsonNode vip : spec.path("Endpoint").path("VirtualIPs")) {
            String network = networks.getOrDefault(vip.path("NetworkID").asText(), "");
            if (isOfStack(network) && vip.has("Addr")) {
                String address = vip.path("Addr").asText().split("/")[0];
                service.vips.put(shortName(network), address);
                labels.put(address, "vip of %s on %s".formatted(name, shortName(network)));
            }
        }
        spec.path("Endpoint").path("Ports").forEach(service.ports::add);
    }

    void addContainer(Guest guest, JsonNode container) {
        JsonNode given = container.path("Config").path("Labels");
        String task = given.path(LABEL + "task.name").asText();
        boolean isTask = !task.isEmpty();
        String service = isTask ? shortName(given.path(LABEL + "service.name").asText()) : container.path("Name").asText().substring(1);
        String slot = isTask ? shortName(task).split("\\.")[1] : "";
        String label = !isTask ? "container " + service
                : slot.matches("\\d+") ? "task %s of %s".formatted(slot, service) : "task of %s on %s".formatted(service, guest);
        Map<String, String> addresses = new TreeMap<>();
        container.path("NetworkSettings").path("Networks").properties().forEach(network -> {
            String address = network.getValue().path("IPAddress").asText();
            if (isOfStack(network.getKey())) {
                addresses.put(shortName(network.getKey()), address);
                labels.put(address, "%s on %s".formatted(label, shortName(network.getKey())));
            } else {
                labels.put(address, "%s on %s".formatted(label, network.getKey()));
            }
        });
        if (!isTask) {
            Service alone = services.computeIfAbsent(service, _ -> new Service());
            alone.names.add(service);
            alone.port = container.path("Config").path("Cmd").path(0).asInt();
        }
        hosts.put(container.path("Config").path("Hostname").asText(), label);
        containers.add(new Container(guest, container.path("State").path("Pid").asInt(), label, service, isTask, addresses));
    }

    List<Container> containers() {
        return containers;
    }

    List<Container> containers(String service) {
        return containers.stream().filter(container -> container.service().equals(service)).toList();
    }

    /** Returns the services that serve on a port, which jobs do not. */
    Map<String, Service> services() {
        Map<String, Service> servers = new TreeMap<>(services);
        servers.values().removeIf(service -> service.port == 0);
        return servers;
    }

    /** Returns the VIPs of its services, each as what it is once the service has it no more. */
    Map<String, String> formerVips() {
        Map<String, String> former = new HashMap<>();
        services.forEach((name, service) ->
                service.vips.forEach((network, vip) -> former.put(vip, "former vip of %s on %s".formatted(name, network))));
        return former;
    }

    /** Returns the host names of the containers, with what they are of. */
    Map<String, String> hosts() {
        return hosts;
    }

    /** Returns what an address is of, or the host name of what. */
    String label(String word) {
        return labels.getOrDefault(word, hosts.getOrDefault(word, word));
    }
}
