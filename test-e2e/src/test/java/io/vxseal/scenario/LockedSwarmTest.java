package io.vxseal.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.vxseal.lab.Await;
import io.vxseal.lab.Guest;
import io.vxseal.lab.Lab;
import io.vxseal.lab.Product;
import io.vxseal.lab.Task;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestMethodOrder;

/**
 * A manager of an autolocked swarm, whose private key only the engine can decrypt: without the engine's socket, and with it. Then a removal
 * that only the socket tells of.
 */
@Laboratory(installed = true)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class LockedSwarmTest {
    private static final String KEY = "/var/lib/docker/swarm/certificates/swarm-node.key";
    private static final Duration WRITTEN = Duration.ofSeconds(60);

    /** A minute lies between two rotations. */
    private static final Duration ROTATED = Duration.ofMinutes(2);

    private Guest manager;

    @BeforeAll
    void lock(Lab lab) {
        manager = lab.swarm().manager();
        manager.sh("docker swarm update --autolock=true");
        Await.until("the engine to have encrypted its key", WRITTEN, () -> manager.sh("head -n 1 " + KEY).contains("ENCRYPTED"));
    }

    private void restart() {
        Product.disableByForce(manager);
        Product.enable(manager);
    }

    private String problem() {
        return Product.status(manager).map(status -> status.path("cluster").path("problem").asText()).orElse("");
    }

    @Test
    @Order(1)
    void waitsWithoutTheEnginesSocketAndSaysSo() {
        restart();
        Await.until("the plugin to say what it waits for", WRITTEN, () ->
                problem().contains("is encrypted: the swarm is autolocked") && problem().contains("engine.source=/run/docker.sock"));
    }

    @Test
    @Order(2)
    void joinsWithTheEnginesSocketAndNamesNetworks(Lab lab) {
        Product.disableByForce(manager);
        Product.set(manager, "engine.source", "/run/docker.sock");
        Product.enable(manager);
        Product.awaitTogether(lab.guests());

        lab.swarm().createNetwork("my-net", Product.DRIVER, "--opt encrypted");
        List<Task> tasks = lab.swarm().serve("web", "my-net");
        tasks.getFirst().awaitAnswer(tasks.getLast());
        Optional<JsonNode> status = Product.status(manager);
        assertThat(status.orElseThrow().path("networks").findValuesAsText("name")).contains("my-net");
        assertThat(manager.sh("vxseal status")).contains("my-net");
    }

    @Test
    @Order(3)
    void joinsAfterTheUnlockKeyWasReplaced(Lab lab) {
        String before = manager.sh("sha256sum " + KEY);
        manager.sh("docker swarm unlock-key --rotate --quiet");
        Await.until("the engine to have encrypted its key anew", WRITTEN, () -> !manager.sh("sha256sum " + KEY).equals(before));
        restart();
        Product.awaitTogether(lab.guests());
    }

    /** The worker's engine hears nothing of its removal, and its plugin would go on for as long as its certificate holds. */
    @Test
    @Order(4)
    void removedWorkerHasNoSessionAnyMore(Lab lab) {
        Guest worker = lab.guest(2);
        String id = Product.status(worker).orElseThrow().path("node").path("id").asText();
        assertThat(sessions()).contains(id);
        long before = Product.ringVersion(manager);
        manager.sh("docker node rm --force " + id);
        Await.until("the removed worker to have no session", WRITTEN, () -> !sessions().contains(id)
                && Product.status(worker).orElseThrow().path("cluster").path("hubs").isEmpty());
        // EndedMembershipTest waits until no key of the removed worker's is left.
        Await.until("another ring than the removed worker's", ROTATED, () -> Product.ringVersion(manager) > before);
    }

    private List<String> sessions() {
        return Product.status(manager).orElseThrow().path("cluster").path("sessions").findValuesAsText("id");
    }
}
