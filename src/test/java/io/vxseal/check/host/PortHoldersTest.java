package io.vxseal.check.host;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.check.Finding;
import io.vxseal.kernel.TestHost;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.nio.channels.DatagramChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Sockets on the plugin's ports, with the kernel as the witness of whether a VXLAN device can come up. */
class PortHoldersTest {
    private static final InetAddress ADDRESS = InetAddress.ofLiteral("10.55.0.1");
    private static final Node KNOWN = new Node(Optional.of(ADDRESS), Set.of(), Set.of());

    @TempDir
    private Path folder;

    private TestHost host;

    @BeforeEach
    void open() throws Exception {
        host = new TestHost(folder.resolve("host"));
        host.run("ip address add 10.55.0.1/24 dev lo");
    }

    @AfterEach
    void close() throws Exception {
        host.close();
    }

    private List<Finding> run(Node node) throws IOException {
        return new PortHolders(host.namespace, new PortHolders.Ports(4789, 4788), List.of(folder.resolve("netns")), folder.resolve("swarm"),
                node).run();
    }

    /** Returns what the kernel says to a VXLAN device on the port; empty if it comes up. */
    private Optional<String> refusal() {
        host.run("ip link add vx type vxlan id 5 dstport 4789 local 10.55.0.1");
        Optional<String> refused = host.failure("ip link set vx up");
        host.run("ip link del vx");
        return refused;
    }

    private DatagramChannel udp(String address, int port) throws Exception {
        return host.within(() -> DatagramChannel.open(address.contains(":") ? StandardProtocolFamily.INET6 : StandardProtocolFamily.INET)
                .bind(new InetSocketAddress(InetAddress.ofLiteral(address), port)));
    }

    private ServerSocketChannel tcp(String address, int port) throws Exception {
        return host.within(() -> ServerSocketChannel.open(StandardProtocolFamily.INET)
                .bind(new InetSocketAddress(InetAddress.ofLiteral(address), port)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"0.0.0.0", "127.0.0.1", "10.55.0.1", "::"})
    void namesProgramThatKeepsVxlanDevicesFromComingUp(String address) throws Exception {
        try (DatagramChannel _ = udp(address, 4789)) {
            assertThat(refusal()).isPresent();
            assertThat(run(Node.UNKNOWN)).singleElement().matches(finding -> !finding.fit()).extracting(Finding::found).asString()
                    .contains("UDP port 4789", "process", "(" + ProcessHandle.current().pid() + ")");
        }
        assertThat(run(Node.UNKNOWN)).singleElement().matches(Finding::fit).matches(finding -> !finding.warns());
    }

    @Test
    void ignoresSocketsThatAreInNobodysWay() throws Exception {
        try (DatagramChannel _ = udp("0.0.0.0", 4790);
                DatagramChannel _ = udp("::1", 4789);
                ServerSocketChannel _ = tcp("127.0.0.1", 4788);
                ServerSocketChannel _ = tcp("0.0.0.0", 4789)) {
            assertThat(refusal()).isEmpty();
            assertThat(run(Node.UNKNOWN)).singleElement().matches(Finding::fit).matches(finding -> !finding.warns());
            assertThat(run(KNOWN)).singleElement().matches(Finding::fit).matches(finding -> !finding.warns());
        }
    }

    @Test
    void tellsVxlanDevicesOwnSocketFromAnUnknownOne() throws Exception {
        Files.createDirectories(folder.resolve("netns"));
        try (TestHost network = new TestHost(folder.resolve("netns/network"))) {
            // As the plugin makes them: datagrams in the host's namespace, the device in another one.
            host.run("ip link add vx type vxlan id 5 dstport 4789");
            host.run("ip link set vx up");
            assertThat(run(Node.UNKNOWN)).singleElement().matches(finding -> !finding.warns());
            host.run(List.of("ip", "link", "set", "vx", "netns", network.pin.toString()));
            network.run("ip link set vx up");
            assertThat(run(Node.UNKNOWN)).singleElement().matches(finding -> !finding.warns());
            try (TestHost elsewhere = new TestHost(folder.resolve("elsewhere"))) {
                network.run(List.of("ip", "link", "set", "vx", "netns", elsewhere.pin.toString()));
                elsewhere.run("ip link set vx up");
                assertThat(run(Node.UNKNOWN)).singleElement().matches(Finding::warns)
                        .extracting(Finding::found).asString().contains("no process");
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"0.0.0.0, false, true", "10.55.0.1, true, true", "10.55.0.1, false, true", "127.0.0.1, true, false"})
    void namesProgramThatListensOnClusterPort(String address, boolean known, boolean found) throws Exception {
        try (ServerSocketChannel _ = tcp(address, 4788)) {
            List<Finding> findings = run(known ? KNOWN : Node.UNKNOWN);
            assertThat(findings).singleElement().matches(finding -> finding.fit() != found);
            if (found) {
                assertThat(findings.getFirst().found()).contains("TCP port 4788", "(" + ProcessHandle.current().pid() + ")");
            }
        }
    }

    /** On the host the image's program is run by the image's own loader, which is the process's executable then. */
    @ParameterizedTest
    @ValueSource(strings = {"", "/lib64/ld-linux-x86-64.so.2"})
    void knowsThePluginsOwnProcess(String loader) throws Exception {
        Path program = folder.resolve("target/vxseal/runtime/bin/java");
        Files.createDirectories(program.getParent());
        Path python = Path.of(host.run(List.of("python3", "-c", "import os; print(os.path.realpath('/proc/self/exe'))")).strip());
        Files.copy(python, program, StandardCopyOption.COPY_ATTRIBUTES);
        List<String> words = Stream.of(loader, program.toString(), "-S", "-c",
                "import socket\ns=socket.socket(); s.bind(('0.0.0.0', 4788)); s.listen(); print('listens', flush=True); s.accept()")
                .filter(word -> !word.isEmpty()).toList();
        Process plugin = host.namespace.start(new ProcessBuilder(words).redirectErrorStream(true));
        try (var reader = plugin.inputReader()) {
            assertThat(reader.readLine()).isEqualTo("listens");
            assertThat(run(KNOWN)).singleElement().matches(Finding::fit);
        } finally {
            plugin.destroyForcibly().waitFor();
        }
    }
}
