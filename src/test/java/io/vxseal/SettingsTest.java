package io.vxseal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.vxseal.kernel.firewall.Firewall.Backend;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SettingsTest {
    @Test
    void hasDefaultsForAllSettings() {
        Settings settings = Settings.of(Map.of());
        assertThat(settings.vxlanPort()).isEqualTo(4789);
        assertThat(settings.firewall()).isEqualTo(Backend.AUTO);
        assertThat(settings.replayWindow()).isZero();
        assertThat(settings.metrics()).isEmpty();
        assertThat(settings.services()).isTrue();
        assertThat(settings.engine()).isEmpty();
    }

    /** In the image the socket is at a fixed place, and is none unless an operator mounts one. */
    @Test
    void imageHasNoEngineUnlessMounted() throws IOException {
        JsonNode config = new ObjectMapper().readTree(Path.of("config.json").toFile());
        Map<String, String> environment = new HashMap<>();
        config.path("env").forEach(each -> environment.put(each.path("name").asText(), each.path("value").asText()));
        JsonNode mount = null;
        for (JsonNode each : config.path("mounts")) {
            mount = each.path("name").asText().equals("engine") ? each : mount;
        }
        assertThat(mount).isNotNull();
        assertThat(mount.path("source").asText()).isEqualTo("/dev/null");
        assertThat(mount.path("settable")).extracting(JsonNode::asText).containsExactly("source");
        assertThat(Settings.of(environment).engine()).contains(Path.of(mount.path("destination").asText()));
        assertThat(Settings.of(Map.of("VXSEAL_ENGINE", "")).engine()).isEmpty();
    }

    @Test
    void turnsServicesOff() {
        assertThat(Settings.of(Map.of("VXSEAL_SERVICES", "Off")).services()).isFalse();
    }

    @ParameterizedTest
    @CsvSource({"auto, AUTO", "iptables, IPTABLES", "nftables, NFTABLES", "NFTables, NFTABLES"})
    void readsFirewallByName(String value, Backend backend) {
        assertThat(Settings.of(Map.of("VXSEAL_FIREWALL", value)).firewall()).isEqualTo(backend);
    }

    @ParameterizedTest
    @CsvSource({"127.0.0.1:9494, 127.0.0.1", "[::1]:9494, ::1", "0.0.0.0:9494, 0.0.0.0"})
    void readsAddressAndPortOfMetrics(String value, String address) {
        assertThat(Settings.of(Map.of("VXSEAL_METRICS", value)).metrics())
                .hasValue(new InetSocketAddress(InetAddress.ofLiteral(address), 9494));
    }

    @ParameterizedTest
    @CsvSource({
        "VXSEAL_FIREWALL, nft, 'want auto, iptables or nftables'",
        "VXSEAL_FIREWALL, '', 'want auto, iptables or nftables'",
        "VXSEAL_LOG_LEVEL, loud, 'want error, warn, info, debug or trace'",
        "VXSEAL_VXLAN_PORT, 65536, want a port from 1 to 65535",
        "VXSEAL_REPLAY_WINDOW, 31, 'want 0 for none, or 32 to 4096 packets'",
        "VXSEAL_REPLAY_WINDOW, 4097, 'want 0 for none, or 32 to 4096 packets'",
        "VXSEAL_REPLAY_WINDOW, on, 'want 0 for none, or 32 to 4096 packets'",
        "VXSEAL_METRICS, 9494, 'want ADDRESS:PORT, as in 127.0.0.1:9494 or [::1]:9494, or nothing'",
        "VXSEAL_METRICS, :9494, 'want ADDRESS:PORT, as in 127.0.0.1:9494 or [::1]:9494, or nothing'",
        "VXSEAL_METRICS, 127.0.0.1:0, 'want ADDRESS:PORT, as in 127.0.0.1:9494 or [::1]:9494, or nothing'",
        "VXSEAL_METRICS, 127.0.0.1:65536, 'want ADDRESS:PORT, as in 127.0.0.1:9494 or [::1]:9494, or nothing'",
        "VXSEAL_METRICS, localhost:9494, 'want ADDRESS:PORT, as in 127.0.0.1:9494 or [::1]:9494, or nothing'",
        "VXSEAL_METRICS, ::1:9494, 'want ADDRESS:PORT, as in 127.0.0.1:9494 or [::1]:9494, or nothing'",
        "VXSEAL_METRICS, [127.0.0.1]:9494, 'want ADDRESS:PORT, as in 127.0.0.1:9494 or [::1]:9494, or nothing'",
        "VXSEAL_SERVICES, no, want on or off",
        "VXSEAL_KEY_ROTATION, 29s, 'want 30s or more, as in 12h or 1h30m'"
    })
    void rejectsWrongValueWithRemedy(String name, String value, String remedy) {
        assertThatThrownBy(() -> Settings.of(Map.of(name, value)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("invalid %s \"%s\": %s", name, value, remedy);
    }
}
