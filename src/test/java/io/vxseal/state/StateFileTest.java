package io.vxseal.state;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StateFileTest {
    record Value(List<InetAddress> nodes, Map<String, List<Integer>> vnis, Cidr address, MacAddress mac) {}

    private static final Value VALUE = new Value(
            List.of(InetAddress.ofLiteral("10.55.0.2"), InetAddress.ofLiteral("fd00::2")),
            Map.of("a", List.of(4097, 4098)),
            Cidr.parse("10.44.0.2/24"),
            MacAddress.parse("02:42:0a:2c:00:02"));

    @TempDir
    private Path folder;

    private Path path() {
        return folder.resolve("deep/state.json");
    }

    private StateFile<Value> file() {
        return new StateFile<>(path(), Value.class);
    }

    @Test
    void readsWhatWasWritten() throws IOException {
        assertThat(file().read()).isEmpty();
        file().write(VALUE);
        assertThat(file().read()).contains(VALUE);
        assertThat(Files.getPosixFilePermissions(path())).hasSize(2);
    }

    /** A process died between writing and renaming. */
    @Test
    void ignoresHalfWrittenNextFile() throws IOException {
        file().write(VALUE);
        Files.writeString(path().resolveSibling("state.json.next"), "{\"nodes\":[");
        assertThat(file().read()).contains(VALUE);
        file().write(VALUE);
        assertThat(file().read()).contains(VALUE);
    }

    @Test
    void rejectsTornFileAndMovesItAside() throws IOException {
        file().write(VALUE);
        byte[] whole = Files.readAllBytes(path());
        byte[] zeros = new byte[whole.length];
        byte[] tail = Arrays.copyOf(whole, whole.length + 1);
        tail[whole.length] = '}';
        byte[] nothing = "null".getBytes(StandardCharsets.UTF_8);
        for (byte[] torn : List.of(Arrays.copyOf(whole, whole.length / 2), new byte[0], zeros, tail, nothing)) {
            Files.write(path(), torn);
            assertThatThrownBy(() -> file().read()).isInstanceOf(IOException.class).hasMessageContaining("state.json");
        }
        Path aside = file().setAside();
        assertThat(aside).hasFileName("state.json.damaged").hasContent("null");
        assertThat(file().read()).isEmpty();
    }
}
