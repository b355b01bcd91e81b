package io.vxseal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vxseal.kernel.firewall.Firewall.Backend;
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
        assertThat(settings.services()).isTrue();
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
    @CsvSource({
        "VXSEAL_FIREWALL, nft, 'want auto, iptables or nftables'",
        "VXSEAL_FIREWALL, '', 'want auto, iptables or nftables'",
        "VXSEAL_LOG_LEVEL, loud, 'want error, warn, info, debug or trace'",
        "VXSEAL_VXLAN_PORT, 65536, want a port from 1 to 65535",
        "VXSEAL_REPLAY_WINDOW, 31, 'want 0 for none, or 32 to 4096 packets'",
        "VXSEAL_REPLAY_WINDOW, 4097, 'want 0 for none, or 32 to 4096 packets'",
        "VXSEAL_REPLAY_WINDOW, on, 'want 0 for none, or 32 to 4096 packets'",
        "VXSEAL_SERVICES, no, want on or off",
        "VXSEAL_KEY_ROTATION, 29s, 'want 30s or more, as in 12h or 1h30m'"
    })
    void rejectsWrongValueWithRemedy(String name, String value, String remedy) {
        assertThatThrownBy(() -> Settings.of(Map.of(name, value)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("invalid %s \"%s\": %s", name, value, remedy);
    }
}
