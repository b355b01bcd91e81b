package io.vxseal.overlay;

import static io.vxseal.overlay.ProtectedHost.NETWORK;
import static io.vxseal.overlay.ProtectedHost.PORT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vxseal.kernel.firewall.Firewall.Backend;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Joins and Leaves of which one step fails: a device is up only while it is protected, and a repair or repetition does the rest. */
class FailedStepTest {
    /** More commands than a Join or a Leave runs. */
    private static final int MOST_COMMANDS = 16;

    @TempDir
    Path folder;

    private ProtectedHost host;

    /** Makes a plugin of which one command of the host's firewall can be made to fail. */
    private void start(Backend backend) throws Exception {
        letAllSucceed();
        Path script = Files.writeString(folder.resolve("firewall"), """
                if [ "$1" = "$(cat %2$s)" ]; then
                    echo 'this one fails' >&2
                    exit 1
                fi
                n=$(cat %1$s)
                echo $((n - 1)) > %1$s
                if [ "$n" -eq 1 ]; then
                    echo 'this one fails' >&2
                    exit 1
                fi
                exec "$@"
                """.formatted(left(), refused()));
        host = new ProtectedHost(folder, backend, List.of("sh", script.toString()));
    }

    private Path left() {
        return folder.resolve("left");
    }

    private Path refused() {
        return folder.resolve("refused");
    }

    private void letAllSucceed() throws Exception {
        Files.writeString(refused(), "none\n");
        Files.writeString(left(), "0\n");
    }

    private boolean hasFailed() throws Exception {
        return Integer.parseInt(Files.readString(left()).trim()) <= 0;
    }

    @AfterEach
    void close() throws Exception {
        host.close();
    }

    @ParameterizedTest
    @EnumSource(value = Backend.class, names = {"IPTABLES", "NFTABLES"})
    void protectsWhicheverFirewallCommandFails(Backend backend) throws Exception {
        start(backend);
        host.create();
        for (int number = 1; number <= MOST_COMMANDS; number++) {
            failOne(number, () -> host.driver().join(NETWORK, "here", "container"));
            if (!host.isDeviceUp()) {
                host.driver().join(NETWORK, "here", "container");
            }
            assertProtected(number);
            failOne(number, () -> host.driver().leave(NETWORK, "here"));
            host.driver().repair();
            assertThat(host.isDeviceUp()).isFalse();
            assertThat(host.hasRules(PORT)).as("after a Leave with command %d failing", number).isFalse();
            assertThat(host.isBlocked(PORT)).isFalse();
            assertThat(host.hasPriority()).isFalse();
        }
        assertThat(host.driver().status().errors()).hasSizeLessThanOrEqualTo(10);
    }

    private interface Call {
        void run() throws Exception;
    }

    /** Makes a call of which one command fails, and the repair after it. */
    private void failOne(int number, Call call) throws Exception {
        Files.writeString(left(), number + "\n");
        try {
            call.run();
        } catch (DriverException refused) {
            assertThat(hasFailed()).as(refused.getMessage()).isTrue();
        }
        assertProtected(number);
        host.driver().repair();
        assertProtected(number);
        letAllSucceed();
        host.driver().repair();
        assertProtected(number);
    }

    private void assertProtected(int number) {
        if (host.isDeviceUp()) {
            assertThat(host.hasRules(PORT)).as("rules, with command %d failing", number).isTrue();
            assertThat(host.isBlocked(PORT)).isTrue();
            assertThat(host.isMarked()).isTrue();
            assertThat(host.hasPriority()).isTrue();
        }
    }

    /** The backend was changed, and a command of the one before does not work at first. */
    @ParameterizedTest
    @ValueSource(strings = {"iptables-nft-save", "iptables-nft-restore"})
    void removesRulesOfEarlierBackendOnceThatWorks(String command) throws Exception {
        start(Backend.IPTABLES);
        host.create();
        host.driver().join(NETWORK, "here", "container");
        host.backend(Backend.NFTABLES);
        host.recover(PORT, ProtectedHost.RUN);
        host.nameAddress();
        Files.writeString(refused(), command + "\n");
        for (int repairs = 0; repairs < 3; repairs++) {
            host.driver().repair();
        }
        assertThat(host.hasIptablesRules(PORT)).isTrue();
        letAllSucceed();
        host.driver().repair();
        assertThat(host.hasIptablesRules(PORT)).isFalse();
        assertProtected(0);
    }

    /** A folder is in the place of the state file. */
    @Test
    void undoesJoinThatCannotBeSaved() throws Exception {
        start(Backend.NFTABLES);
        host.create();
        Path file = folder.resolve("run/endpoints.json");
        Files.delete(file);
        Files.createDirectories(file.resolve("in the way"));
        assertThatThrownBy(() -> host.driver().join(NETWORK, "here", "container")).hasMessageContaining("state file");
        assertNothingLeft();
        Files.delete(file.resolve("in the way"));
        Files.delete(file);
        host.driver().join(NETWORK, "here", "container");
        assertThat(host.isDeviceUp()).isTrue();
        Files.delete(file);
        Files.createDirectories(file.resolve("in the way"));
        assertThatThrownBy(() -> host.driver().leave(NETWORK, "here")).hasMessageContaining("state file");
        assertNothingLeft();
    }

    /** Somebody's link has the name of the container's. */
    @Test
    void undoesJoinWhoseLinkCannotBeMade() throws Exception {
        start(Backend.NFTABLES);
        host.create();
        host.run("ip link add %s type veth peer name taken".formatted(NetworkNamespace.linkName("here")));
        assertThatThrownBy(() -> host.driver().join(NETWORK, "here", "container")).hasMessageContaining("EEXIST");
        assertNothingLeft();
    }

    private void assertNothingLeft() {
        assertThat(host.pin()).doesNotExist();
        assertThat(host.hasRules(PORT)).isFalse();
        assertThat(host.isBlocked(PORT)).isFalse();
        assertThat(host.hasPriority()).isFalse();
    }
}
