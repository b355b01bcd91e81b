package io.vxseal.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.lab.Capture;
import io.vxseal.lab.Lab;
import io.vxseal.lab.Swarm;
import io.vxseal.lab.Task;
import io.vxseal.lab.Wire;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * The laboratory proved on what is known to work: the engine's own encrypted overlay network. When the
 * plugin's scenarios fail and this one does not, it is the plugin.
 */
@Laboratory(product = false)
class BuiltInOverlayTest {

    @Test
    void encryptedPacketsCrossTheWireAsEsp(Lab lab) {
        Capture capture = lab.wire().capture("built-in");
        lab.swarm().createNetwork("built-in", "overlay", "--opt encrypted");
        List<Task> tasks = lab.swarm().serve("web", "built-in");

        assertThat(Swarm.pingAcross(tasks, 10)).matches(Task.Pings::allBack);

        capture.stop();
        assertThat(capture.count(Wire.ESP)).isGreaterThanOrEqualTo(40);
        assertThat(capture.count(Wire.CLEARTEXT_VXLAN)).isZero();
    }

    @Test
    void aFrameFromOutsideReachesTheWireAndACutHostDoesNotAnswer(Lab lab) {
        Capture capture = lab.wire().capture("cut");
        byte[] frame = new byte[64];
        Arrays.fill(frame, 0, 6, (byte) 0xff);
        frame[12] = (byte) 0x88;
        frame[13] = (byte) 0xb5;
        String ping = "ping -c 1 -W 2 " + lab.guest(2).address();

        lab.wire().inject(frame);
        lab.guest(1).sh(ping);
        lab.wire().cut(lab.guest(2));
        assertThat(lab.guest(1).run(ping, Duration.ofSeconds(30)).ok()).isFalse();
        lab.wire().mend(lab.guest(2));
        lab.guest(1).sh(ping);

        assertThat(capture.stop().count("ether proto 0x88b5")).isOne();
    }
}
