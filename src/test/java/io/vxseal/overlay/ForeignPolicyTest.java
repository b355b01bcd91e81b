package io.vxseal.overlay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.vxseal.cluster.PeerChange;
import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.xfrm.SecurityPolicy;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An encrypted network beside IPsec policies of other programs for the same two nodes, which were there before. */
class ForeignPolicyTest {
    private static final String NETWORK = "abcdefgh";
    private static final InetAddress HERE = InetAddress.ofLiteral("10.55.0.1");
    private static final InetAddress THERE = InetAddress.ofLiteral("10.55.0.2");

    /** Selects what this plugin's policy for the node selects, and lets it pass in clear. */
    private static final String POLICY = "ip xfrm policy add dir out src 10.55.0.1/32 dst 10.55.0.2/32 proto udp dport %d priority 0%s";

    @TempDir
    Path folder;

    private TestHost host;
    private DriverParts parts;
    private Driver driver;

    @BeforeEach
    void open() throws Exception {
        host = new TestHost(folder.resolve("host"));
        host.run("ip link add wire type veth peer name other");
        host.run("ip link set other up");
        host.run("ip address add 10.55.0.1/24 dev wire");
        host.run("ip link set wire up");
        host.run("ip neigh add 10.55.0.2 lladdr 02:42:00:00:00:02 dev wire");
        parts = new DriverParts(host, folder);
        driver = parts.start(HERE);
    }

    @AfterEach
    void close() throws Exception {
        driver.close();
        Namespace.unpin(parts.pin(NETWORK));
        host.close();
    }

    private void serve() throws Exception {
        DriverParts.serve(driver, DriverParts.network(NETWORK, 4242, true));
        driver.peersChanged(List.of(new PeerChange.Added(DriverParts.peer(NETWORK, "there", "10.44.0.3", THERE))));
    }

    private String inside(String command) {
        return host.run("nsenter --net=%s %s".formatted(parts.pin(NETWORK), command));
    }

    /** Sends a frame to the other node's endpoint. It may get no further than a bridge whose port does not forward yet. */
    private void send() {
        inside("ip neigh replace 10.44.0.3 lladdr 02:42:0a:2c:00:03 nud permanent dev ov-001092-abcde");
        host.attempt(List.of("nsenter", "--net=" + parts.pin(NETWORK), "bash", "-c", "echo x > /dev/udp/10.44.0.3/7000"));
    }

    private boolean takesForeignPolicy() {
        send();
        return isUsed(0);
    }

    private boolean takesOwnPolicy() {
        send();
        // Without ESP the kernel looks for the policy's state in vain.
        return isUsed(SecurityPolicy.LABEL) || !host.run("grep XfrmOutNoStates /proc/self/net/xfrm_stat").matches("\\S+\\s+0\\s*");
    }

    /** Returns whether a datagram took the policy for the other node with a label. */
    private boolean isUsed(int label) {
        return Pattern.compile("(?m)^(?=src )").splitAsStream(host.run("ip -s xfrm policy"))
                .filter(policy -> policy.startsWith("src 10.55.0.1/32 dst 10.55.0.2/32 ") && policy.contains(" uid " + label))
                .anyMatch(policy -> !policy.contains("use -"));
    }

    /** The kernel takes the older of two policies with equal selector, mark and priority. */
    @Test
    void sendsUnderItsOwnPolicyThoughTheBuiltInDriversIsOlder() throws Exception {
        host.run(POLICY.formatted(DriverParts.PORT, " mark 0xd0c4e3 mask 0xffffffff"));
        serve();
        await().until(this::takesOwnPolicy);
        assertThat(isUsed(0)).isFalse();
        assertThat(driver.status().inTheWay()).noneMatch(line -> line.contains("comes before"));
    }

    @Test
    void reportsOlderPolicyThatTakesWhatItSends() throws Exception {
        host.run(POLICY.formatted(DriverParts.PORT, ""));
        serve();
        await().until(this::takesForeignPolicy);
        driver.repair();
        assertThat(driver.status().inTheWay()).anySatisfy(line -> assertThat(line)
                .contains("policy out 10.55.0.1/32 -> 10.55.0.2/32 priority 0 comes before those of node 10.55.0.2"));
    }
}
