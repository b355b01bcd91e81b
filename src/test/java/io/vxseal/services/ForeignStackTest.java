package io.vxseal.services;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.kernel.TestHost;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Namespaces as the runtimes leave them. The runtimes themselves are not here: Debian has no package of them. */
class ForeignStackTest {
    @TempDir
    Path folder;

    private TestHost box;

    /** Adds two links, as the engine does: one of the network's, and one that leads outside. */
    @BeforeEach
    void open() throws Exception {
        box = new TestHost(folder.resolve("box"));
        box.run("ip link add eth0 type veth peer name far0");
        box.run("ip link add eth1 type veth peer name far1");
    }

    @AfterEach
    void close() throws Exception {
        box.close();
    }

    private void setUp(String link, String address) {
        box.run("ip address add %s dev %s".formatted(address, link));
        box.run("ip link set %s up".formatted(link));
    }

    @Test
    void kernelsOwnStackShowsNone() throws Exception {
        assertThat(ForeignStack.sign(box.namespace())).as("before the engine has set the links up").isEmpty();
        setUp("eth0", "10.0.1.2/24");
        assertThat(ForeignStack.sign(box.namespace())).isEmpty();
        setUp("eth1", "172.18.0.3/16");
        assertThat(ForeignStack.sign(box.namespace())).isEmpty();
        box.run("ip address flush dev eth1");
        assertThat(ForeignStack.sign(box.namespace())).as("as long as one link has an address").isEmpty();
    }

    @Test
    void linksWithoutAddressesAreGvisors() throws Exception {
        setUp("eth0", "10.0.1.2/24");
        setUp("eth1", "172.18.0.3/16");
        box.run("ip address del 10.0.1.2/24 dev eth0");
        box.run("ip address del 172.18.0.3/16 dev eth1");
        assertThat(ForeignStack.sign(box.namespace())).hasValueSatisfying(sign -> assertThat(sign).contains("gVisor"));
    }

    @Test
    void tapIsKatas() throws Exception {
        setUp("eth0", "10.0.1.2/24");
        box.run("ip link add tap0_kata type veth peer name far2");
        assertThat(ForeignStack.sign(box.namespace())).hasValueSatisfying(sign -> assertThat(sign).contains("tap0_kata", "Kata"));
    }
}
