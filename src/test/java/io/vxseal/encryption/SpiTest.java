package io.vxseal.encryption;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetAddress;
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
    void isThatOfTheBuiltInDriver(String source, String destination, String tag, String spi) {
        int computed = Spi.of(
                InetAddress.ofLiteral(source), InetAddress.ofLiteral(destination), Integer.parseUnsignedInt(tag));
        assertThat(computed).isEqualTo(Integer.parseUnsignedInt(spi, 16));
    }
}
