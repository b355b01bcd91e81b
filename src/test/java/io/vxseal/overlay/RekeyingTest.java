package io.vxseal.overlay;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.cluster.PeerChange;
import io.vxseal.encryption.Key;
import io.vxseal.encryption.KeyRing;
import io.vxseal.encryption.Spi;
import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.netns.Namespace;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Changes to keys that the ring before does not have, while the plugin's process ends and begins. */
class RekeyingTest {
    private static final String NETWORK = "abcdefgh";
    private static final InetAddress HERE = InetAddress.ofLiteral("10.55.0.1");
    private static final InetAddress THERE = InetAddress.ofLiteral("10.55.0.2");
    private static final List<Key> OTHER_KEYS = List.of(new Key(new byte[16], 11), new Key(new byte[16], 12), new Key(new byte[16], 13));

    @TempDir
    private Path folder;

    private TestHost host;
    private DriverParts parts;
    private Driver driver;

    /** Seals to another node under the first keys. */
    @BeforeEach
    void open() throws Exception {
        host = new TestHost(folder.resolve("host"));
        parts = new DriverParts(host, folder);
        driver = parts.start(HERE);
        DriverParts.serve(driver, DriverParts.network(NETWORK, 4242, true));
        driver.peersChanged(List.of(new PeerChange.Added(DriverParts.peer(NETWORK, "there", "10.44.0.3", THERE))));
    }

    @AfterEach
    void close() throws Exception {
        driver.close();
        Namespace.unpin(parts.pin(NETWORK));
        host.close();
    }

    private boolean sealsUnder(Key key) {
        return host.run("ip xfrm policy").contains("spi 0x%08x".formatted(Spi.of(HERE, THERE, key.tag())));
    }

    /** Nodes that have not changed yet, because their processes ended as well, send and accept the old keys only. */
    @Test
    void newProcessGoesOnWithChangeOfKeysWhereTheOneBeforeEnded() throws Exception {
        assertThat(sealsUnder(DriverParts.keys().getFirst())).isTrue();
        driver.initialKeys(OTHER_KEYS);
        assertThat(sealsUnder(DriverParts.keys().getFirst())).as("before the process ends").isTrue();

        driver.close();
        driver = parts.start(HERE);
        driver.initialKeys(OTHER_KEYS);

        assertThat(sealsUnder(DriverParts.keys().getFirst())).as("after").isTrue();
        assertThat(keysInForce().keys()).containsAll(DriverParts.keys()).containsAll(OTHER_KEYS);
    }

    private KeyRing keysInForce() {
        return parts.store().keysInForce.read();
    }

    @Test
    void newProcessUsesTheRingAtOnceIfItIsTheOneInForce() throws Exception {
        driver.close();
        driver = parts.start(HERE);
        driver.initialKeys(DriverParts.keys());
        assertThat(keysInForce().keys()).isEqualTo(DriverParts.keys());
    }

    @Test
    void damagedFileOfKeysCountsAsNone() throws Exception {
        driver.close(); // It may write the file once more.
        Path file = folder.resolve("run/ring/keys-in-force.json");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file))).isEqualTo("rw-------");
        for (String damage : List.of("", "{}", "null", "{\"keys\":[null]}", "{\"keys\":[{\"octets\":\"AAAA\",\"tag\":1}]}")) {
            Files.writeString(file, damage);
            assertThat(keysInForce()).as(damage).isEqualTo(KeyRing.EMPTY);
        }
    }
}
