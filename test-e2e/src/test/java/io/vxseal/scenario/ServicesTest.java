package io.vxseal.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.vxseal.lab.Await;
import io.vxseal.lab.Capture;
import io.vxseal.lab.Guest;
import io.vxseal.lab.Lab;
import io.vxseal.lab.Listener;
import io.vxseal.lab.Outcome;
import io.vxseal.lab.Product;
import io.vxseal.lab.Swarm;
import io.vxseal.lab.Task;
import io.vxseal.lab.Together;
import io.vxseal.lab.Wire;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestMethodOrder;

/**
 * A stack on an encrypted network whose services have virtual addresses (VIPs), as they have by default, on two hosts. The scenarios
 * build on each other.
 */
@Laboratory(installed = true)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class ServicesTest {
    private static final Duration COMMAND = Duration.ofSeconds(90);
    private static final Duration CHANGE = Duration.ofMinutes(3);
    private static final int REQUESTS = 12;
    private static final int ATTEMPTS = 3;
    private static final int DATAGRAMS = 24;
    private static final int PINGS = 3;
    private static final String ECHO_REQUEST = "icmp[icmptype] == icmp-echo";

    /** Without wget's own time limit, with which Debian 12's crashes. */
    private static final String GET = "busybox timeout 10 wget -q -O -";

    /** A web server that answers with its container's name and the client's address. */
    private static final String SERVER = """
            command:
                  - sh
                  - -c
                  - |
                    ./bin/busybox mkdir -p /www/cgi-bin
                    echo '#!/bin/sh
                    echo Content-Type: text/plain
                    echo
                    echo $$(cat /etc/hostname) $$REMOTE_ADDR' > /www/cgi-bin/who
                    ./bin/busybox chmod 755 /www/cgi-bin/who
                    exec httpd -f -h /www""";

    private static final String STACK = """
            version: "3.8"
            services:
              web:
                image: busybox:latest
                %1$s
                stop_grace_period: 4s
                networks: {net: {aliases: [front]}}
                ports: ["8080:80"]
                deploy: {mode: global}
              api:
                image: busybox:latest
                %1$s
                stop_grace_period: 4s
                # Without it a task counts from its start on, before it listens.
                healthcheck: {test: ["CMD-SHELL", "wget -q -O /dev/null http://127.0.0.1/cgi-bin/who"], interval: 4s, timeout: 20s, retries: 5}
                networks: [net]
                deploy: {replicas: 2}
              frail:
                image: busybox:latest
                %1$s
                # A server that was told to end goes on answering until then.
                stop_grace_period: 90s
                healthcheck: {test: ["CMD-SHELL", "test ! -e /sick && wget -q -O /dev/null http://127.0.0.1/cgi-bin/who"], interval: 2s, timeout: 20s, retries: 2}
                networks: [net]
                deploy: {replicas: 0}
              client:
                image: busybox:latest
                command: sleep 86400
                stop_grace_period: 1s
                networks: [net]
                deploy: {mode: global}
            networks:
              net:
                driver: %2$s
                driver_opts: {encrypted: ""}
                attachable: true
            """.formatted(SERVER, Product.DRIVER);

    private Capture capture;
    private List<Task> web;
    private List<Task> clients;

    private static Optional<JsonNode> service(Guest guest, String name) {
        return Product.status(guest).flatMap(status -> {
            for (JsonNode service : status.path("services")) {
                if (service.path("name").asText().equals("app_" + name)) {
                    return Optional.of(service);
                }
            }
            return Optional.empty();
        });
    }

    private static void awaitTasks(Lab lab, String name, int count) {
        lab.guests().forEach(guest -> Await.until("%d tasks of %s in the status of %s".formatted(count, name, guest), CHANGE, () ->
                service(guest, name).filter(it -> it.path("addresses").size() == 1 && it.path("tasks").size() == count).isPresent()));
    }

    /** Scales a service, and waits until each host knows its tasks, instead of the five seconds that the engine's command waits in addition. */
    private static void scale(Lab lab, String name, int count) {
        lab.swarm().manager().run("docker service scale --detach app_%s=%d".formatted(name, count), COMMAND).require();
        awaitTasks(lab, name, count);
    }

    /** Waits until a task listens: one without a health check counts from its start on. */
    private static void awaitListening(Task server) {
        Await.until("an answer of " + server + " to itself", CHANGE, () ->
                server.exec(GET + " http://127.0.0.1/cgi-bin/who", COMMAND).ok());
    }

    /** Asks a service several times, and returns its answers: a container's name and the client's address as it sees it. */
    private static List<String> ask(Task client, String name) {
        return client.exec("sh -c 'for n in %s; do %s http://%s/cgi-bin/who || echo failed; done'"
                .formatted("x ".repeat(REQUESTS), GET, name), COMMAND).require().lines().toList();
    }

    private static Set<String> containers(List<Task> tasks) {
        Set<String> names = new HashSet<>();
        tasks.forEach(task -> names.add(task.container().substring(0, 12)));
        return names;
    }

    /** Asks until all tasks have answered: which one does is chance. */
    private static void assertAllAnswer(Task client, String name, List<Task> servers) {
        Set<String> answered = new HashSet<>();
        for (int n = 0; n < ATTEMPTS && answered.size() < servers.size(); n++) {
            List<String> answers = ask(client, name);
            assertThat(answers).as("answers of %s to %s", name, client).hasSize(REQUESTS)
                    .allSatisfy(answer -> assertThat(answer.split(" ")[1]).isIn(client.address(), "[::ffff:%s]".formatted(client.address())));
            answers.forEach(answer -> answered.add(answer.split(" ")[0]));
        }
        assertThat(answered).as("tasks that answered %s at %s", client, name).isEqualTo(containers(servers));
    }

    @Test
    @Order(1)
    void stackAnswersByNameAliasAndAddressFromEveryTask(Lab lab) {
        capture = lab.wire().capture("services");
        lab.swarm().manager().copyIn(STACK.getBytes(StandardCharsets.UTF_8), "/run/app.yml");
        lab.swarm().manager().run("docker stack deploy --resolve-image never -c /run/app.yml app", COMMAND).require();
        web = Together.map(lab.guests(), guest -> lab.swarm().task("app_web", "app_net", guest));
        clients = Together.map(lab.guests(), guest -> lab.swarm().task("app_client", "app_net", guest));
        awaitTasks(lab, "web", 2);
        Together.each(web, ServicesTest::awaitListening);
        String vip = lab.swarm().vip("app_web", "app_net");
        for (Task client : clients) {
            assertAllAnswer(client, "web", web);
            assertAllAnswer(client, "front", web);
            assertAllAnswer(client, vip, web);
        }
        for (Task server : web) {
            assertAllAnswer(server, "web", web);
        }
    }

    @Test
    @Order(2)
    void vipAnswersPingAndTakesUdp(Lab lab) {
        String vip = lab.swarm().vip("app_web", "app_net");
        for (Task client : clients) {
            Task asked = new Task(client.guest(), "none", 0, vip);
            try (Listener one = web.get(0).listen(ECHO_REQUEST); Listener two = web.get(1).listen(ECHO_REQUEST)) {
                assertThat(client.ping(asked, PINGS)).matches(Task.Pings::allBack);
                Await.until("a task to have got the pings", Duration.ofSeconds(20), () -> one.count() + two.count() >= PINGS);
            }
            try (Listener one = web.get(0).listen("udp dst port 9000"); Listener two = web.get(1).listen("udp dst port 9000")) {
                client.send(asked, 9000, DATAGRAMS);
                Await.until("all datagrams to arrive", Duration.ofSeconds(20), () -> one.count() + two.count() == DATAGRAMS);
                assertThat(one.count()).isBetween(1L, DATAGRAMS - 1L);
            }
        }
    }

    @Test
    @Order(3)
    void publishedPortAnswersOnEachHost(Lab lab) {
        for (Guest guest : lab.guests()) {
            assertThat(guest.run("busybox timeout 10 busybox wget -q -O - http://%s:8080/cgi-bin/who".formatted(guest.address()), COMMAND).require())
                    .isNotEmpty();
        }
    }

    /** More tasks under load are LoadTest's. */
    @Test
    @Order(4)
    void rollingUpdateAndScalingFailNoRequest(Lab lab) {
        awaitTasks(lab, "api", 2);
        List<Guest.Spawned> loads = clients.stream().map(client -> client.guest().spawn(
                "docker exec %s sh -c 'while [ ! -e /stop ]; do %s http://api/cgi-bin/who || echo failed; sleep 0.3; done'"
                        .formatted(client.container(), GET), Duration.ofMinutes(10))).toList();
        Guest manager = lab.swarm().manager();
        manager.run("docker service update --force --detach=false --quiet app_api", CHANGE).require();
        scale(lab, "api", 1);
        clients.forEach(client -> client.exec("sh -c 'echo > /stop'", COMMAND).require());
        for (Guest.Spawned load : loads) {
            List<String> answers = load.await().out().lines().toList();
            System.out.println("lab: " + answers.size() + " requests during update and scaling");
            assertThat(answers).hasSizeGreaterThan(20).doesNotContain("failed");
        }
    }

    @Test
    @Order(5)
    void killedPluginLeavesRulesAndComesBackWithThem(Lab lab) {
        Product.signal(lab.guests(), "STOP");
        try {
            for (Task client : clients) {
                assertAllAnswer(client, "web", web);
            }
        } finally {
            Product.signal(lab.guests(), "KILL");
        }
        Product.awaitTogether(lab.guests());
        awaitTasks(lab, "web", 2);
        for (Task client : clients) {
            assertAllAnswer(client, "web", web);
        }
        scale(lab, "api", 2);
    }

    @Test
    @Order(6)
    void flushedRulesAreBackWithinSeconds(Lab lab) {
        Task client = clients.getFirst();
        client.guest().sh("nsenter -n -t %d nft delete table ip $(nsenter -n -t %1$d nft list tables ip | grep -o 'vxseal-.*')"
                .formatted(client.process()));
        Await.until("the rules to be back", Duration.ofSeconds(20), () -> !client.guest()
                .sh("nsenter -n -t %d nft list tables ip | grep vxseal || true".formatted(client.process())).isEmpty());
        assertAllAnswer(client, "web", web);
    }

    @Test
    @Order(7)
    void serviceWithoutTasksRefusesAtOnce(Lab lab) {
        String vip = lab.swarm().vip("app_api", "app_net");
        scale(lab, "api", 0);
        for (Task client : clients) {
            Outcome refused = client.exec("%s http://%s/".formatted(GET, vip), COMMAND);
            assertThat(refused.ok()).isFalse();
            assertThat(refused.err() + refused.out()).contains("refused");
        }
    }

    private static boolean isRunning(Task task) {
        return task.guest().sh("docker inspect -f '{{.State.Running}}' " + task.container()).equals("true");
    }

    /** A task that is not healthy is stopped, which takes a while: so long it answers at its own address, and at no other. */
    @Test
    @Order(8)
    void taskThatIsNotHealthyGetsNoNewConnection(Lab lab) {
        scale(lab, "frail", 2);
        Task sick = lab.swarm().task("app_frail", "app_net", lab.guest(2));
        sick.exec("sh -c 'echo > /sick'", COMMAND).require();
        lab.guests().forEach(guest -> Await.until("%s not to be among the tasks on %s".formatted(sick.address(), guest), CHANGE, () ->
                service(guest, "frail").filter(it -> !tasks(it).contains(sick.address())).isPresent()));
        for (Task client : clients) {
            assertThat(ask(client, "frail")).hasSize(REQUESTS).doesNotContain("failed")
                    .noneMatch(answer -> answer.startsWith(sick.container().substring(0, 12)));
            assertThat(ask(client, sick.address())).as("answers of the task itself, which still runs")
                    .allMatch(answer -> answer.startsWith(sick.container().substring(0, 12)));
        }
        assertThat(isRunning(sick)).as("the task still runs").isTrue();
    }

    private static List<String> tasks(JsonNode service) {
        List<String> tasks = new ArrayList<>();
        service.path("tasks").forEach(task -> tasks.add(task.asText()));
        return tasks;
    }

    @Test
    @Order(9)
    void disconnectedContainerLosesItsRules(Lab lab) {
        Guest guest = lab.guest(2);
        guest.run("docker run -d --name loner --network app_net busybox " + Swarm.IDLE, COMMAND).require();
        String tables = "nsenter -n -t $(docker inspect -f '{{.State.Pid}}' loner) nft list tables ip";
        Await.until("rules in an attached container", CHANGE, () -> guest.sh(tables).contains("vxseal-"));
        guest.run("docker network disconnect app_net loner", COMMAND).require();
        assertThat(guest.sh(tables)).doesNotContain("vxseal-");
        guest.run("docker rm -f loner", COMMAND).require();
    }

    @Test
    @Order(10)
    void nothingWasSentInClear(Lab lab) {
        capture.stop();
        assertThat(capture.count(Wire.ESP)).isPositive();
        // The ingress network of the published port is the engine's own, and not encrypted.
        assertThat(capture.count(Wire.cleartextVxlan(lab.swarm().vni("app_net")))).isZero();
        lab.swarm().manager().run("docker stack rm app", CHANGE).require();
    }
}
