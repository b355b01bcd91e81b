package io.vxseal.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.lab.Await;
import io.vxseal.lab.Footprint;
import io.vxseal.lab.Guest;
import io.vxseal.lab.Lab;
import io.vxseal.lab.Product;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** The plugin from a registry, as an operator with many hosts would install it. */
@Laboratory
class PublishTest {

    private static final String NAME = "localhost:5000/vxseal";

    private static final String REGISTRY = """
            version: 0.1
            storage:
              filesystem:
                rootdirectory: /tmp/registry
            http:
              addr: 127.0.0.1:5000
            """;

    @Test
    void publishedPluginInstallsAndUninstallsCompletely(Lab lab) {
        Guest guest = lab.guest(1);
        guest.copyIn(REGISTRY.getBytes(StandardCharsets.UTF_8), "/tmp/registry.yml");
        guest.spawn("docker-registry serve /tmp/registry.yml", Duration.ofMinutes(15));
        Await.until("the registry", Duration.ofSeconds(60), () ->
                guest.run("busybox wget -q -O - http://localhost:5000/v2/", Duration.ofSeconds(20)).ok());

        Footprint before = Footprint.of(guest);
        guest.run("/payload/plugin/publish " + NAME, Duration.ofMinutes(6)).require();
        // Removes what publishing left here, so that the installation uses the registry.
        guest.run("docker plugin rm -f " + NAME, Duration.ofSeconds(60));
        guest.run("docker plugin install --grant-all-permissions " + NAME, Duration.ofMinutes(6)).require();

        assertThat(guest.sh("docker plugin inspect -f '{{.Enabled}}' " + NAME)).isEqualTo("true");
        guest.run("docker plugin rm -f " + NAME, Duration.ofSeconds(60)).require();
        // The keys stay in memory for a later installation.
        Product.uninstall(guest);
        Footprint.awaitAsBefore(guest, before, Duration.ofSeconds(60));
    }
}
