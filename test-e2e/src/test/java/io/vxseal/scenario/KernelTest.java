package io.vxseal.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.lab.Guest;
import io.vxseal.lab.Lab;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** The product's own tests of IPsec states and policies, on a stock kernel, which has ESP; with the plugin's own JVM. */
@Laboratory
class KernelTest {

    private static final String TESTS = "cd /payload/target && plugin/rootfs/usr/lib/vxseal/runtime/bin/java"
            + " --enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow -XX:TieredStopAtLevel=1"
            + " --add-exports=java.base/sun.nio.ch=ALL-UNNAMED"
            + " -Djava.nio.channels.spi.SelectorProvider=io.vxseal.plugin.DoorSelectorProvider"
            + " -cp 'classes:test-classes:test-lib/*' org.junit.platform.console.ConsoleLauncher execute"
            + " --disable-banner --disable-ansi-colors --scan-classpath=test-classes --include-tag=esp"
            // The other engine, for properties, keeps a database in the current folder, which is read-only here.
            + " --include-engine=junit-jupiter --include-classname='io.vxseal.*'";

    @Test
    void statesAndPoliciesStandAsTheyWereAsked(Lab lab) {
        Guest guest = lab.guest(1);

        String said = guest.run(TESTS, Duration.ofMinutes(15)).require();

        assertThat(said).contains(" 0 tests failed ", " 0 tests skipped ", " 0 tests aborted ")
                .doesNotContain(" 0 tests found ");
    }
}
