package io.vxseal.overlay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NetworkOptionsTest {
    /** Computed by moby's own maxMTU. */
    @ParameterizedTest
    @CsvSource({"'', 1450, 1424", "1450, 1400, 1372", "9000, 8950, 8924", "1280, 1230, 1204"})
    void computesMtuLikeBuiltInDriver(String option, int plain, int encrypted) throws DriverException {
        Map<String, String> options = new HashMap<>();
        if (!option.isEmpty()) {
            options.put(NetworkOptions.MTU, option);
        }
        assertThat(NetworkOptions.of(options).linkMtu()).isEqualTo(plain);
        options.put(NetworkOptions.ENCRYPTED, "");
        assertThat(NetworkOptions.of(options).linkMtu()).isEqualTo(encrypted);
    }

    @ParameterizedTest
    @CsvSource({
        "com.docker.network.driver.mtu, -1",
        "com.docker.network.driver.mtu, 65536",
        "com.docker.network.driver.mtu, 100",
        "com.docker.network.driver.mtu, big",
        "com.docker.network.driver.overlay.vxlanid_list, 0",
        "com.docker.network.driver.overlay.vxlanid_list, 16777216",
        "com.docker.network.driver.overlay.vxlanid_list, '4097,4097'",
        "com.docker.network.driver.overlay.vxlanid_list, '4097,'",
        "encrypted, false"
    })
    void rejectsWrongOptionNamingItsValue(String name, String value) {
        assertThatThrownBy(() -> NetworkOptions.of(Map.of(name, value)))
                .isInstanceOf(DriverException.class)
                .hasMessageContaining(name)
                .satisfies(refused -> assertThat(refused.getMessage()).containsAnyOf("\"" + value + "\"", "\"\""));
    }

    @Test
    void ignoresUnknownOption() throws DriverException {
        assertThat(NetworkOptions.of(Map.of("foo", "bar")).encrypted()).isFalse();
    }

    @ParameterizedTest
    @CsvSource({"'', '', 1400, 1400", "0, '', 1400, 1400", "'', '', 1500, ''", "'', '', 9000, ''", "1300, '', 1400, 1300",
        "9000, '', 1400, 9000", "'', 4097, 1400, ''"})
    void takesSmallMtuOfLinkWhereOperatorGaveNone(String given, String vnis, int underlay, String mtu) {
        Map<String, String> options = Map.of(NetworkOptions.MTU, given, NetworkOptions.VXLANID_LIST, vnis);
        assertThat(NetworkOptions.withUnderlayMtu(options, underlay)).containsEntry(NetworkOptions.MTU, mtu);
    }
}
