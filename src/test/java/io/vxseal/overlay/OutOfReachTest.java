package io.vxseal.overlay;

import static io.vxseal.overlay.ProtectedHost.DEVICE;
import static io.vxseal.overlay.ProtectedHost.NETWORK;
import static io.vxseal.overlay.ProtectedHost.OTHER_PORT;
import static io.vxseal.overlay.ProtectedHost.PORT;
import static io.vxseal.overlay.ProtectedHost.RUN;
import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.kernel.firewall.Firewall.Backend;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.route.Route;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Protection of VXLAN devices that the plugin cannot see, as long as they exist. */
class OutOfReachTest {
    @TempDir
    Path folder;

    private ProtectedHost host;

    private void serve(Backend backend) throws Exception {
        host = new ProtectedHost(folder, backend);
        host.serve();
        host.driver().repair();
    }

    private void repair() {
        host.driver().repair();
    }

    @AfterEach
    void close() throws Exception {
        host.close();
    }

    /** Before the start the rules alone tell of the device. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void blocksPortOfDeviceOutOfReachAgain(boolean beforeStart) throws Exception {
        serve(Backend.NFTABLES);
        if (beforeStart) {
            host.run("ip xfrm policy flush");
        }
        host.loseDevices(OTHER_PORT);
        host.nameAddress();
        repair();
        if (!beforeStart) {
            host.run("ip xfrm policy flush");
            repair();
        }
        repair();
        assertThat(host.isBlocked(PORT)).isTrue();
        host.inside("ip link delete " + DEVICE);
        repair();
        repair();
        assertThat(host.isBlocked(PORT)).isFalse();
    }

    /** The node has an IPv6 address now, and iptables has rules of their own for each IP version. */
    @ParameterizedTest
    @EnumSource(value = Backend.class, names = {"IPTABLES", "NFTABLES"})
    void keepsProtectionOfTheOtherIpVersion(Backend backend) throws Exception {
        serve(Backend.IPTABLES);
        host.backend(backend);
        host.loseDevices(PORT);
        host.nameIpv6Address();
        repair();
        host.run("ip xfrm policy flush");
        host.run("iptables-nft -F VXSEAL-INPUT");
        repair();
        assertThat(host.isBlocked(PORT)).isTrue();
        assertThat(host.hasIptablesRules(PORT)).isTrue();
        host.inside("ip link delete " + DEVICE);
        repair();
        repair();
        assertThat(host.isBlocked(PORT)).isFalse();
        assertThat(host.hasIptablesRules(PORT)).isFalse();
    }

    /** Somebody moved the device to the host's namespace, where no frame is marked. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void keepsProtectionOfMovedDeviceWhenItsNetworkGoes(boolean afterRestart) throws Exception {
        serve(Backend.NFTABLES);
        host.inside("ip link set %s netns %s".formatted(DEVICE, host.namespace()));
        host.run("ip link set %s up".formatted(DEVICE));
        if (afterRestart) {
            host.recover(PORT, RUN);
            host.nameAddress();
            repair();
        }
        host.driver().leave(NETWORK, "here");
        for (int repairs = 0; repairs < 3; repairs++) {
            assertThat(host.hasRules(PORT)).isTrue();
            assertThat(host.isBlocked(PORT)).isTrue();
            assertThat(host.hasPriority()).isTrue();
            repair();
        }
        assertThat(host.driver().status().inTheWay()).singleElement().asString().contains("on port " + PORT);
        host.run("ip link delete " + DEVICE);
        repair();
        repair();
        assertThat(host.hasRules(PORT)).isFalse();
        assertThat(host.isBlocked(PORT)).isFalse();
    }

    /** The backend was changed, and the one of before cannot be listed when the first network comes up. */
    @Test
    void keepsRulesThatEarlierFirewallCouldNotListAtFirst() throws Exception {
        serve(Backend.IPTABLES);
        host.run("nft add chain ip filter OPS");
        host.run("nft add rule ip filter OPS ct state established accept");
        host.backend(Backend.NFTABLES);
        host.loseDevices(PORT);
        host.nameAddress();
        host.serveOther();
        host.run("nft delete chain ip filter OPS");
        repair();
        repair();
        assertThat(host.hasRules(PORT)).isTrue();
        host.inside("ip link delete " + DEVICE);
        repair();
        assertThat(host.hasRules(PORT)).isFalse();
    }

    /** One network can be recovered, and moves to the new port; the namespace of the other was unmounted. */
    @Test
    void keepsBlockOfEarlierPortWhileOneOfTwoNetworksMoves() throws Exception {
        serve(Backend.NFTABLES);
        host.serveOther();
        try (Namespace lost = Namespace.open(host.pin()).orElseThrow(); Route links = Route.in(lost)) {
            Namespace.unpin(host.pin());
            host.recover(OTHER_PORT, RUN);
            host.nameAddress();
            for (int repairs = 0; repairs < 3; repairs++) {
                assertThat(List.of(host.isBlocked(PORT), host.isBlocked(OTHER_PORT))).containsOnly(true);
                assertThat(host.hasRules(PORT)).isTrue();
                repair();
            }
            links.links().delete(DEVICE);
            repair();
            repair();
            assertThat(host.isBlocked(PORT)).isFalse();
            assertThat(host.isBlocked(OTHER_PORT)).isTrue();
        }
    }

    /** The device tells of which IP version the rules have to be. */
    @Test
    void repairsIpv6ProtectionBeforeAddressIsKnown() throws Exception {
        host = new ProtectedHost(folder, Backend.IPTABLES);
        host.nameIpv6Address();
        host.serve();
        repair();
        host.recover(PORT, RUN);
        host.run("nft flush ruleset");
        host.run("ip xfrm policy flush");
        repair();
        assertThat(host.isDeviceUp()).isTrue();
        assertThat(host.hasIp6tablesRules(PORT)).isTrue();
        assertThat(host.hasIptablesRules(PORT)).isFalse();
        assertThat(host.isBlockedOverIpv6(PORT)).isTrue();
    }

    /** From IPv4 to IPv6 and back, while a device is out of reach that stays. */
    @Test
    void movesProtectionToTheOtherIpVersion() throws Exception {
        serve(Backend.IPTABLES);
        host.loseDevices(OTHER_PORT);
        host.nameAddress();
        host.serveOther();
        for (int changes = 0; changes < 2; changes++) {
            host.nameIpv6Address();
            assertThat(host.isBlocked(PORT)).isTrue();
            repair();
            assertThat(host.isBlockedOverIpv6(OTHER_PORT)).isTrue();
            assertThat(host.hasIp6tablesRules(OTHER_PORT)).isTrue();
            assertThat(host.isBlocked(PORT)).isTrue();
            assertThat(host.hasIptablesRules(PORT)).isTrue();
            host.nameAddress();
            repair();
            assertThat(host.isBlocked(OTHER_PORT)).isTrue();
            assertThat(host.hasIptablesRules(PORT)).isTrue();
            assertThat(host.run("iptables-nft-save")).contains("--dport " + OTHER_PORT);
            assertThat(host.hasIp6tablesRules(OTHER_PORT)).isFalse();
        }
    }

    /** The engine has not named this node's address yet. */
    @ParameterizedTest
    @EnumSource(value = Backend.class, names = {"IPTABLES", "NFTABLES"})
    void repairsProtectionBeforeAddressIsKnown(Backend backend) throws Exception {
        serve(backend);
        host.recover(PORT, RUN);
        host.run("nft flush ruleset");
        host.run("ip xfrm policy flush");
        host.inside("nft flush ruleset");
        repair();
        assertThat(host.isDeviceUp()).isTrue();
        assertThat(host.hasRules(PORT)).isTrue();
        assertThat(host.isBlocked(PORT)).isTrue();
        assertThat(host.isMarked()).isTrue();
        assertThat(host.hasPriority()).isTrue();
    }
}
