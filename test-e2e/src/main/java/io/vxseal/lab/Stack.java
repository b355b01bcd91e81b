package io.vxseal.lab;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A stack of services on the swarm, deployed from the text of its file. Its image is {@code server}, of which each container answers on
 * the port that is its first argument.
 */
public final class Stack implements AutoCloseable {
    private static final Duration COMMAND = Duration.ofSeconds(90);
    private static final Duration START = Duration.ofMinutes(5);
    private static final int OBSERVATIONS = 3;

    /** Engines synchronize every 30 s. */
    private static final Duration SYNCHRONIZATION = Duration.ofSeconds(60);

    private static final ObjectMapper JSON = new ObjectMapper();

    /** Folder of the guests with the server and the program that observes. */
    static final String FOLDER = "/run/stack";

    private static final String IMAGE = """
            set -e
            mkdir -p %1$s/image && cd %1$s/image
            tar -xf /lab/busybox.tar
            for applet in $(bin/busybox --list); do [ -e bin/$applet ] || ln -s busybox bin/$applet; done
            cp --parents -L $(ldd /usr/bin/perl | grep -o '/[^ ]*') /usr/bin/perl .
            cp -a --parents /usr/lib/*/perl-base .
            cp ../server ../observe ../load .
            tar -c . | docker import -c 'ENTRYPOINT ["perl", "/server"]' - server:latest""".formatted(FOLDER);

    private static final String NAMESPACE = "label=com.docker.stack.namespace=";

    private final Lab lab;
    private final String name;
    /** VIPs of earlier observations: the engine's name server keeps one after a change of the endpoint mode (moby, issue 38575). */
    private final Map<String, String> formerVips = new HashMap<>();

    private Stack(Lab lab, String name) {
        this.lab = lab;
        this.name = name;
    }

    /** Makes the image on all hosts. */
    public static void prepare(Lab lab) {
        Together.each(lab.guests(), guest -> {
            guest.sh("mkdir -p " + FOLDER);
            for (String program : List.of("server", "observe", "load", "stream")) {
                guest.copyIn(resource(program), FOLDER + "/" + program);
            }
            guest.run(IMAGE, COMMAND).require();
        });
    }

    private static byte[] resource(String file) {
        try (InputStream stream = Stack.class.getResourceAsStream("stack/" + file)) {
            if (stream == null) {
                throw new LabException("no resource stack/" + file);
            }
            return stream.readAllBytes();
        } catch (IOException e) {
            throw new LabException("cannot read stack/" + file + ": " + e.getMessage(), e);
        }
    }

    /** Deploys a stack, and waits until all tasks of its services run and its jobs are done. */
    public static Stack deploy(Lab lab, String name, String text) {
        Stack stack = new Stack(lab, name);
        try {
            stack.deploy(text, "", COMMAND);
            return stack;
        } catch (RuntimeException | Error failure) {
            try (stack) {
                throw failure;
            }
        }
    }

    /** Deploys it again with another text, and waits until all updates are done. */
    public void deploy(String text) {
        // The command itself waits, because an update that has not begun yet looks like one that is done.
        deploy(text, "--detach=false --quiet", START);
    }

    /** Deploys it again with further services, and waits until their tasks run. The others may not change. */
    void extend(String text) {
        // The command would wait for each service by itself, and for those that run already as well.
        deploy(text, "", START);
    }

    private void deploy(String text, String options, Duration limit) {
        Guest manager = lab.swarm().manager();
        String file = "/run/%s.yml".formatted(name);
        manager.copyIn(text.getBytes(StandardCharsets.UTF_8), file);
        manager.run("docker stack deploy %s --resolve-image never -c %s %s".formatted(options, file, name), limit).require();
        Await.until("the updates of " + name, START, () -> manager.sh(
                "docker service inspect -f '{{with .UpdateStatus}}{{.State}}{{end}}' $(docker service ls -q --filter %s%s)"
                        .formatted(NAMESPACE, name)).lines().allMatch(state -> state.isEmpty() || state.equals("completed")));
        awaitRunning();
    }

    private void awaitRunning() {
        Await.until(() -> "the tasks of " + name + ":\n" + services(), START, () -> {
            List<String> replicas = services().lines().toList();
            return !replicas.isEmpty() && replicas.stream().allMatch(Stack::isWhole);
        });
    }

    private String services() {
        return lab.swarm().manager().sh("docker service ls --filter %s%s --format '{{.Name}} {{.Replicas}}'".formatted(NAMESPACE, name));
    }

    /** Returns whether a line has "3/3", or "0/3 (3/3 completed)" for a job. */
    private static boolean isWhole(String line) {
        String last = line.contains("(") ? line.substring(line.indexOf('(') + 1) : line.substring(line.indexOf(' ') + 1);
        String[] counts = last.split("[ /]");
        return counts[0].equals(counts[1]);
    }

    /** Updates a service, and waits until the update is done, and no container runs that is none of its tasks' any more. */
    public void update(String service, String options) {
        lab.swarm().manager().run("docker service update --detach=false --quiet %s %s_%s".formatted(options, name, service), START).require();
        awaitRunning();
        String wanted = "docker service ps -q --filter desired-state=running %s_%s".formatted(name, service);
        String running = "docker ps -q --filter label=com.docker.swarm.service.name=%s_%s".formatted(name, service);
        Await.until("the end of earlier containers of " + service, START, () -> lab.swarm().manager().sh(wanted).lines().count()
                == Together.map(lab.guests(), guest -> guest.sh(running)).stream().flatMap(String::lines).count());
    }

    /** Starts a server in a container that is no service's, on a host and an attachable network of the stack. */
    public void attach(Guest guest, String container, String network, int port) {
        guest.run("docker run -d --name %s --label %s --network %s_%s server %d".formatted(
                container, NAMESPACE.substring(NAMESPACE.indexOf('=') + 1) + name, name, network, port), COMMAND).require();
    }

    /** Returns the states of a job's tasks, a word each; those that failed are among them. */
    public List<String> outcomes(String service) {
        return lab.swarm().manager().sh("docker service ps --format '{{.CurrentState}}' %s_%s".formatted(name, service))
                .lines().map(state -> state.split(" ")[0]).sorted().toList();
    }

    /** Returns the full names of its networks that encrypt. */
    public List<String> encryptedNetworks() {
        List<String> encrypted = new ArrayList<>();
        for (JsonNode network : networks()) {
            if (network.path("Options").has("encrypted")) {
                encrypted.add(network.path("Name").asText());
            }
        }
        return encrypted;
    }

    /** Returns the drivers of its networks. */
    public List<String> drivers() {
        return networks().findValuesAsText("Driver").stream().filter(driver -> !driver.equals("default")).toList();
    }

    private JsonNode networks() {
        return json(lab.swarm().manager(), "docker network inspect $(docker network ls -q --filter %s%s)".formatted(NAMESPACE, name));
    }

    /**
     * Returns what each container of the stack observes, and each host of the published ports. Observes again if an engine took another
     * one for failed meanwhile, as emulated hosts do that are busy.
     */
    public Observations observe() {
        for (int attempt = 1; ; attempt++) {
            int before = othersTakenForFailed();
            Observations all = observeOnce();
            if (othersTakenForFailed() == before || attempt == OBSERVATIONS) {
                return all;
            }
            System.out.printf("lab: an engine took another one for failed, %s is observed again%n", name);
            Await.pause(SYNCHRONIZATION);
        }
    }

    private int othersTakenForFailed() {
        return Together.map(lab.guests(), EngineEvents::othersTakenForFailed).stream().mapToInt(Integer::intValue).sum();
    }

    private Observations observeOnce() {
        Census census = new Census(name, formerVips);
        for (JsonNode network : json(lab.swarm().manager(), "docker network inspect $(docker network ls -q --no-trunc)")) {
            census.addNetwork(network);
        }
        for (JsonNode service : json(lab.swarm().manager(),
                "docker service inspect $(docker service ls -q --filter %s%s)".formatted(NAMESPACE, name))) {
            census.addService(service);
        }
        List<JsonNode> containers = Together.map(lab.guests(), guest -> json(guest,
                "list=$(docker ps -q --filter %s%s); [ -z \"$list\" ] && echo '[]' || docker inspect $list".formatted(NAMESPACE, name)));
        for (int n = 0; n < containers.size(); n++) {
            for (JsonNode container : containers.get(n)) {
                census.addContainer(lab.guests().get(n), container);
            }
        }
        formerVips.putAll(census.formerVips());
        return Observations.of(lab.guests(), census);
    }

    private static JsonNode json(Guest guest, String command) {
        try {
            return JSON.readTree(guest.run(command, COMMAND).require());
        } catch (JsonProcessingException e) {
            throw new LabException("no JSON: " + command, e);
        }
    }

    /** Removes it, and waits until its containers and networks are gone. */
    @Override
    public void close() {
        String containers = "docker ps -aq --filter %s%s".formatted(NAMESPACE, name);
        Together.each(lab.guests(), guest -> guest.run(containers + " --filter name=attached | xargs -r docker rm -f", COMMAND).require());
        Await.until("the removal of " + name, START, () ->
                lab.swarm().manager().run("docker stack rm " + name, COMMAND).ok()
                        && lab.swarm().manager().sh("docker network ls -q --filter %s%s".formatted(NAMESPACE, name)).isEmpty()
                        && Together.map(lab.guests(), guest -> guest.sh(containers)).stream().allMatch(String::isEmpty));
    }
}
