package io.vxseal.check;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.kernel.TestHost;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Checks of a host without faults, and with one at a time. This machine's kernel may lack ESP. */
class HostCheckTest {
    @TempDir
    private Path folder;

    private TestHost host;

    @BeforeEach
    void open() throws Exception {
        host = new TestHost(folder.resolve("host"));
    }

    @AfterEach
    void close() throws Exception {
        host.close();
    }

    private Finding find(String check) {
        return new HostCheck(host.namespace, 4789, folder, folder.resolve("swarm")).run().stream()
                .filter(finding -> finding.check().equals(check))
                .findFirst().orElseThrow();
    }

    @Test
    void findsNothingOnCleanHostAndLeavesNothing() throws Exception {
        String before = host.run("ip -d link") + host.run("ip xfrm state") + host.run("ip xfrm policy");
        for (String check : new String[] {"VXLAN", "foreign policies", "foreign VXLAN", "MTU", "clock"}) {
            assertThat(find(check)).as(check).matches(Finding::fit);
        }
        assertThat(host.run("ip -d link") + host.run("ip xfrm state") + host.run("ip xfrm policy")).isEqualTo(before);
    }

    @Test
    void namesForeignPolicyThatComesFirst() {
        host.run("ip xfrm policy add dir out src 10.0.0.0/8 dst 10.0.0.0/8 priority 0 action allow");
        assertThat(find("foreign policies")).matches(finding -> !finding.fit())
                .extracting(Finding::found).asString().contains("10.0.0.0/8 -> 10.0.0.0/8 priority 0");
    }

    @Test
    void ignoresForeignPolicyThatComesLater() {
        host.run("ip xfrm policy add dir out src 10.0.0.0/8 dst 10.0.0.0/8 priority 100 action allow");
        assertThat(find("foreign policies")).matches(Finding::fit);
    }

    @Test
    void namesDeviceOfAnotherProgramOnVxlanPort() {
        host.run("ip link add flannel type vxlan id 77 dstport 4789 dev lo");
        assertThat(find("foreign VXLAN")).matches(finding -> !finding.fit())
                .extracting(Finding::found).asString().contains("flannel", "4789", "77");
    }

    @Test
    void namesClockOutsideOfCertificatesValidity() throws Exception {
        Path certificates = Files.createDirectories(folder.resolve("swarm/certificates"));
        Path store = folder.resolve("store");
        keytool("-genkeypair", "-alias", "node", "-keyalg", "EC", "-dname", "CN=node", "-startdate", "-10d", "-validity", "1",
                "-keystore", store.toString(), "-storepass", "secret");
        keytool("-exportcert", "-rfc", "-alias", "node", "-file", certificates.resolve("swarm-node.crt").toString(),
                "-keystore", store.toString(), "-storepass", "secret");
        assertThat(find("clock")).matches(finding -> !finding.fit())
                .extracting(Finding::found).asString().contains("other nodes refuse its sessions");
    }

    private static void keytool(String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "keytool").toString()));
        command.addAll(List.of(arguments));
        assertThat(new ProcessBuilder(command).inheritIO().start().waitFor()).isZero();
    }
}
