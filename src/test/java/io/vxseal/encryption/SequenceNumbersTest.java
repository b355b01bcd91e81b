package io.vxseal.encryption;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.address.NodeAddresses;
import io.vxseal.kernel.xfrm.InstalledState;
import io.vxseal.kernel.xfrm.SecurityAssociation;
import java.net.InetAddress;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SequenceNumbersTest {
    @ParameterizedTest
    @CsvSource({
        "0, false",
        "0x7fffffff, false",
        "0x80000000, true",
        "0xffffffff, true",
        "0x100000000, true",
        "-1, true"
    })
    void areHalfUsedFromTwoToThe31On(String sent, boolean half) {
        SecurityAssociation state = NodePlan.of(
                        new NodeAddresses(InetAddress.ofLiteral("10.55.0.1"), InetAddress.ofLiteral("10.55.0.1")),
                        InetAddress.ofLiteral("10.55.0.2"),
                        new KeyRing(List.of(KeyRingTest.key(1))),
                        4789)
                .send().getFirst();
        assertThat(SequenceNumbers.areHalfUsed(new InstalledState(state, Long.decode(sent)))).isEqualTo(half);
    }
}
