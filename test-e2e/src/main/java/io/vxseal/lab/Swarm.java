package io.vxseal.lab;

import com.fasterxml.jackson.databind.JsonNode;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/** The guests' engines as one swarm, whose only manager is the first guest until it {@link #handOver hands over}. */
public final class Swarm {

    /** The command of an idle task. */
    public static final String IDLE = "sleep 86400";

    /** VLAN of the network for data. */
    public static final int DATA_VLAN = 20;

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

    /** Ends the swarm and forms another, whose nodes use IPv6 addresses. */
    public void moveToIpv6() {
        Together.each(guests, guest -> guest.sh("ip address add %s/64 dev eth0 nodad".formatted(guest.address6())));
        String manager = "[%s]:2377".formatted(manager().address6());
        move(guest -> "--advertise-addr %s --listen-addr [%1$s]:2377".formatted(guest.address6()), manager);
    }

    /** Ends the swarm and forms another, whose nodes use a separate network for data: a VLAN on the same wire. */
    public void moveDataToVlan() {
        Together.each(guests, guest -> guest.sh("""
                ip link add link eth0 name data type vlan id %d
                ip address add %s/24 dev data
                ip link set data up""".formatted(DATA_VLAN, guest.dataAddress())));
        move(guest -> "--advertise-addr %s --data-path-addr %s".formatted(guest.address(), guest.dataAddress()),
                manager().address() + ":2377");
    }

    private void move(Function<Guest, String> addresses, String remote) {
        guests.reversed().forEach(Swarm::leave);
        manager().run("docker swarm init " + addresses.apply(manager()), COMMAND).require();
        String token = manager().sh("docker swarm join-token -q worker");
        Together.each(guests.subList(1, guests.size()), guest -> guest.run("docker swarm join %s --token %s %s"
                .formatted(addresses.apply(guest), token, remote), COMMAND).require());
        awaitReady();
    }

    /**
     * Makes another host the only manager, and so the leader.
     *
     * @return the same swarm, with that manager
     */
    public Swarm handOver(Guest next) {
        manager().run("docker node promote " + next, COMMAND).require();
        Await.until(next + " to be a manager", READY, () ->
                says(next, "docker node inspect -f '{{.ManagerStatus.Reachability}}' self", "reachable"));
        restartInError(next);
        next.run("docker node demote " + manager(), COMMAND).require();
        Await.until(next + " to lead and " + manager() + " to be a worker", READY, () ->
                says(next, "docker node inspect -f '{{.ManagerStatus.Leader}}' self", "true")
                        && says(manager(), "docker info -f '{{.Swarm.ControlAvailable}}'", "false"));
        List<Guest> order = new ArrayList<>(guests);
        order.remove(next);
        order.addFirst(next);
        Swarm led = new Swarm(List.copyOf(order));
        restartInError(manager());
        led.awaitReady();
        return led;
    }

    /**
     * Restarts an engine whose part in the swarm has once ended with an error, as that of a manager may that dials a former one first.
     * Such an engine says "error" from then on, although it goes on, and refuses tasks with a network of the swarm while it is a worker.
     */
    private static void restartInError(Guest guest) {
        if (says(guest, "docker info -f '{{.Swarm.LocalNodeState}}'", "error")) {
            guest.restartEngine();
            Await.until(guest + " to be part of the swarm again", READY, () ->
                    says(guest, "docker info -f '{{.Swarm.LocalNodeState}}'", "active"));
        }
    }

    private static boolean says(Guest guest, String command, String answer) {
        Outcome outcome = guest.run(command, COMMAND);
        return outcome.ok() && outcome.out().strip().equals(answer);
    }

    /**
     * Makes a host leave the swarm. Call it for one host after the other, the manager last: an engine whose leaving nobody
     * acknowledges within a second goes on listening on its gossip port, and cannot use that port in its next swarm ("Error in agentInit …
     * address already in use"), until it is started again.
     */
    public static void leave(Guest guest) {
        guest.run("docker swarm leave --force", COMMAND).require();
        if (!guest.sh("ss -Hltn sport = 7946").isEmpty()) {
            guest.restartEngine();
        }
    }

    /** Starts the engine of a host that has just booted, and joins it as a worker. */
    void admit(Guest guest) {
        guest.run("/lab/swarm engine", Duration.ofMinutes(5)).require();
        String token = manager().sh("docker swarm join-token -q worker");
        guest.run("/lab/swarm join %s %s %s".formatted(guest.address(), token, manager().address()), COMMAND).require();
        awaitReady();
    }

    /** Joins a host that is in no swarm as a worker, and removes the node that it was before, if any. */
    public void join(Guest guest) {
        String token = manager().sh("docker swarm join-token -q worker");
        guest.run("docker swarm join --advertise-addr %s --token %s %s:2377"
                .formatted(guest.address(), token, manager().address()), COMMAND).require();
        Await.until("the former " + guest + " to be down", READY, () -> {
            String down = manager().sh("docker node ls --format '{{.ID}} {{.Status}}' | awk '$2 == \"Down\" { print $1 }'");
            return !down.isEmpty() && manager().run("docker node rm " + down, COMMAND).ok();
        });
        awaitReady();
    }

    /** Replaces the swarm's root certificate, and with it every node's certificate. */
    public void rotateRoot() {
        String certificate = "sha256sum /var/lib/docker/swarm/certificates/swarm-node.crt";
        List<String> before = Together.map(guests, guest -> guest.sh(certificate));
        manager().run("docker swarm ca --rotate --quiet", START).require();
        Await.until("every node to have a certificate by the new root", READY, () ->
                Together.map(guests, guest -> !before.contains(guest.sh(certificate))).stream().allMatch(changed -> changed));
    }

    /** Waits until the manager reports every node as ready. */
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

    /** Returns the VNI of a network's first subnet, once the leader has allocated it: that happens after the creation's answer. */
    public int vni(String network) {
        return Await.value("the VNI of network " + network, COMMAND, () -> manager()
                .sh("docker network inspect -f '{{index .Options \"com.docker.network.driver.overlay.vxlanid_list\"}}' " + network)
                .lines().map(list -> list.split(",")[0].strip()).filter(vni -> !vni.isEmpty()).findFirst().map(Integer::valueOf));
    }

    /** Returns the virtual address of a service on a network. */
    public String vip(String service, String network) {
        String id = manager().sh("docker network inspect -f '{{.Id}}' " + network);
        return manager().sh("docker service inspect -f '{{range .Endpoint.VirtualIPs}}{{.NetworkID}} {{.Addr}}{{println}}{{end}}' " + service)
                .lines().filter(line -> line.startsWith(id)).map(line -> line.split("[ /]")[1]).findFirst()
                .orElseThrow(() -> new LabException(service + " has no address on " + network));
    }

    public void removeNetwork(String name) {
        // The manager refuses while a node has not reported the end of the network's last task.
        Await.until("network " + name + " to be removable", COMMAND,
                () -> manager().run("docker network rm " + name, COMMAND).ok());
    }

    /**
     * Starts a service with one task on each node, and waits for the tasks. It has no virtual address, because its tasks are reached by
     * their own ones.
     *
     * @return a task for each guest, in the guests' order
     */
    public List<Task> serve(String service, String network) {
        startEverywhere(service, network);
        return Together.map(guests, guest -> task(service, network, guest));
    }

    /** Starts a service with one task on each node. */
    public void startEverywhere(String service, String network) {
        start(service, network, "--mode global", IDLE);
    }

    /** Starts a service with one task, on that host, and waits for it. */
    public Task serveOn(Guest guest, String service, String network) {
        startOn(guest, service, network, IDLE);
        return task(service, network, guest);
    }

    /**
     * Starts a container outside of any service on a host, with its own address on an attachable network. It only
     * listens.
     */
    public static Task listenOn(Guest guest, String name, String network, String address) {
        String container = guest.run("docker run -d --name %s --network %s --ip %s busybox %s".formatted(name, network, address, IDLE),
                COMMAND).require();
        return new Task(guest, container, process(guest, container), address);
    }

    private static int process(Guest guest, String container) {
        return SocketRequest.engine(guest, "/containers/" + container + "/json", COMMAND).path("State").path("Pid").asInt();
    }

    /** Starts a service with one task, on that host, which may never run. */
    public void startOn(Guest guest, String service, String network, String command) {
        start(service, network, "--constraint node.hostname==" + guest.name(), command);
    }

    private void start(String service, String network, String where, String command) {
        manager().run(("docker service create --detach --quiet --no-resolve-image --endpoint-mode dnsrr %s"
                + " --restart-delay 2s --stop-grace-period 1s --network %s --name %s busybox %s")
                .formatted(where, network, service, command), COMMAND).require();
    }

    /** Waits until a task of the service could not be started, and returns why. */
    public String refusal(String service) {
        return Await.value("a task of " + service + " to fail", START, () -> manager()
                .sh("docker service ps --no-trunc --format '{{.Error}}' " + service).lines()
                .filter(line -> !line.isBlank()).findFirst());
    }

    /** Returns the service's task on that host, as soon as it runs. */
    public Task task(String service, String network, Guest guest) {
        String running = containers(service, "running");
        try {
            return Await.value("a task of " + service + " on " + guest, START, () -> {
                JsonNode container = SocketRequest.engine(guest, running, COMMAND).path(0);
                String id = container.path("Id").asText();
                String address = container.path("NetworkSettings").path("Networks").path(network).path("IPAddress").asText();
                return address.isEmpty() ? Optional.empty() : Optional.of(new Task(guest, id, process(guest, id), address));
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
        String all = containers(service, "");
        Together.each(guests, guest -> Await.until("the end of " + service + " on " + guest, START, () ->
                SocketRequest.engine(guest, all, COMMAND).isEmpty()));
    }

    /** Returns the engine's path for the list of a service's containers in one state or in any state. */
    private static String containers(String service, String status) {
        String filters = "{\"label\":[\"com.docker.swarm.service.name=%s\"]%s}"
                .formatted(service, status.isEmpty() ? "" : ",\"status\":[\"%s\"]".formatted(status));
        return "/containers/json?all=1&filters=" + URLEncoder.encode(filters, StandardCharsets.UTF_8);
    }

    /** Pings in both directions between the first two tasks. */
    public static Task.Pings pingAcross(List<Task> tasks, int count) {
        Task one = tasks.get(0);
        Task two = tasks.get(1);
        return Together.map(Arrays.asList(new Task[][] {{one, two}, {two, one}}), pair -> pair[0].ping(pair[1], count))
                .stream().reduce(Task.Pings.NONE, Task.Pings::and);
    }
}
