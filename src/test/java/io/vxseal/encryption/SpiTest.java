package io.vxseal.encryption;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetAddress;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SpiTest {
    /** Computed by moby's own buildSPI. */
    @ParameterizedTest
    @CsvSource({
        "10.0.0.1, 10.0.0.2, 1, f9c16827",
        "10.0.0.2, 10.0.0.1, 1, 37213ca7",
        "192.168.33.11, 172.16.5.9, 4294967295, da3ba3fb",
        "fd00::1, fd00::2, 305419896, 74cd91f0",
        "10.55.0.1, 10.55.0.2, 78917750, 7a9610c6"
    })
    void equalsThatOfTheBuiltInDriver(String source, String destination, String tag, String spi) {
        int computed = Spi.of(
                InetAddress.ofLiteral(source), InetAddress.ofLiteral(destination), Integer.parseUnsignedInt(tag));
        assertThat(computed).isEqualTo(Integer.parseUnsignedInt(spi, 16));
    }

    @ParameterizedTest
    @CsvSource({"10.28.72.182, 192.168.21.147", "10.28.75.132, 192.168.20.155"})
    void collidingSourcesHaveTheSameSpiForAllTagsAndNodes(String one, String other) {
        InetAddress first = InetAddress.ofLiteral(one);
        InetAddress second = InetAddress.ofLiteral(other);
        assertThat(Spi.ofSource(first)).isEqualTo(Spi.ofSource(second));
        for (String receiver : List.of("10.55.0.1", "fd00:55::1")) {
            for (int tag : new int[] {1, 2, -1}) {
                InetAddress destination = InetAddress.ofLiteral(receiver);
                assertThat(Spi.of(first, destination, tag)).isEqualTo(Spi.of(second, destination, tag));
            }
        }
    }

    @Test
    void differsForOtherSources() {
        assertThat(Spi.ofSource(InetAddress.ofLiteral("10.55.0.1"))).isNotEqualTo(Spi.ofSource(InetAddress.ofLiteral("10.55.0.2")));
    }
}
