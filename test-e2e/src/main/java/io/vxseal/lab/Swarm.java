package io.vxseal.lab;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** The guests' engines as one swarm, whose only manager is the first guest. */
public final class Swarm {

    private static final Duration COMMAND = Duration.ofSeconds(90);
    private static final Duration START = Duration.ofMinutes(4);
    private static final Duration READY = Duration.ofMinutes(2);

    private final List<Guest> guests;

    Swarm(List<Guest> guests) {
        this.guests = guests;
    }

    public Guest manager() {
        return guests.getFirst();
    }

    /** Starts the engines and joins them. */
    void form() {
        Together.each(guests, guest -> guest.run("/lab/swarm engine", Duration.ofMinutes(5)).require());
        String token = manager().run("/lab/swarm init " + manager().address(), COMMAND).require();
        Together.each(guests.subList(1, guests.size()), guest -> guest.run("/lab/swarm join %s %s %s"
                .formatted(guest.address(), token, manager().address()), COMMAND).require());
        awaitReady();
        Together.each(guests, guest -> guest.run("/lab/swarm settled", Duration.ofMinutes(3)).require());
    }

    /** Waits until the manager calls every node ready. */
    void awaitReady() {
        Await.until("every node to be ready", READY, () -> {
            Outcome nodes = manager().run("docker node ls --format '{{.Status}}'", COMMAND);
            return nodes.ok() && nodes.out().lines().filter("Ready"::equals).count() == guests.size();
        });
    }

    /** Creates a network; {@code options} are words of {@code docker network create}. */
    public void createNetwork(String name, String driver, String... options) {
        manager().run("docker network create -d %s %s %s".formatted(driver, String.join(" ", options), name), COMMAND).require();
    }

    /** The VNI of a network's first subnet. */
    public int vni(String network) {
        String list = manager().sh("docker network inspect -f "
                + "'{{index .Options \"com.docker.network.driver.overlay.vxlanid_list\"}}' " + network);
        try {
            return Integer.parseInt(list.split(",")[0].strip());
        } catch (NumberFormatException e) {
            throw new LabException("network " + network + " has no VNI: '" + list + "'", e);
        }
    }

    public void removeNetwork(String name) {
        // The manager refuses while a node has not reported the end of the network's last task.
        Await.until("network " + name + " to be removable", COMMAND,
                () -> manager().run("docker network rm " + name, COMMAND).ok());
    }

    /**
     * Starts a service with one task on each node, and waits for the tasks. By DNS round robin: a plugin's
     * network has no virtual addresses.
     *
     * @return a task for each guest, in the guests' order
     */
    public List<Task> serve(String service, String network) {
        manager().run(("docker service create --detach --quiet --mode global --no-resolve-image --endpoint-mode dnsrr"
                + " --restart-delay 2s --stop-grace-period 1s --network %s --name %s busybox sleep 86400")
                .formatted(network, service), COMMAND).require();
        return Together.map(guests, guest -> task(service, network, guest));
    }

    private Task task(String service, String network, Guest guest) {
        String list = "docker ps -q --no-trunc --filter status=running --filter label=com.docker.swarm.service.name=" + service;
        try {
            return Await.value("a task of " + service + " on " + guest, START, () -> {
                String container = guest.run(list, COMMAND).require();
                if (container.isEmpty()) {
                    return Optional.empty();
                }
                String address = guest.sh("docker inspect -f '{{(index .NetworkSettings.Networks \"%s\").IPAddress}}' %s"
                        .formatted(network, container));
                return Optional.of(new Task(guest, container, address));
            });
        } catch (LabException e) {
            Outcome tasks = manager().run("docker service ps --no-trunc --format '{{.Node}} {{.CurrentState}} {{.Error}}' "
                    + service, COMMAND);
            throw new LabException(e.getMessage() + "; the swarm says:\n" + tasks.out() + tasks.err(), e);
        }
    }

    /** Removes a service, and waits until its containers are gone from every node. */
    public void removeService(String service) {
        manager().run("docker service rm " + service, COMMAND).require();
        Together.each(guests, guest -> Await.until("the end of " + service + " on " + guest, START, () -> guest.run(
                "docker ps -aq --filter label=com.docker.swarm.service.name=" + service, COMMAND).require().isEmpty()));
    }

    /** Pings in both directions between the first two tasks. */
    public static Task.Pings pingAcross(List<Task> tasks, int count) {
        Task one = tasks.get(0);
        Task two = tasks.get(1);
        return Together.map(Arrays.asList(new Task[][] {{one, two}, {two, one}}), pair -> pair[0].ping(pair[1], count))
                .stream().reduce(new Task.Pings(0, 0), Task.Pings::and);
    }
}
