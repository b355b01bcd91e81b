package io.vxseal.command;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.kernel.TestHost;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HostToolsTest {
    @Test
    void removesWhatMayBeAKey() {
        assertThat(HostTools.withoutKeys("""
                src 192.0.2.1 dst 192.0.2.2
                	proto esp spi 0x1a2b3c4d reqid 13681891 mode transport
                	aead rfc4106(gcm(aes)) 0x000102030405060708090a0b0c0d0e0f10111213 128
                	mark 0x76d0c4e3/0xffffffff
                """)).isEqualTo("""
                src 192.0.2.1 dst 192.0.2.2
                	proto esp spi 0x1a2b3c4d reqid 13681891 mode transport
                	aead rfc4106(gcm(aes)) 0x(removed) 128
                	mark 0x76d0c4e3/0xffffffff
                """);
    }

    @Test
    void keepsWantedLinesHoweverManyOthersThereAre() throws Exception {
        String others = ("x".repeat(99) + "\n").repeat(1000);
        byte[] output = (others + "wanted 1\n" + others + "wanted 2").getBytes(StandardCharsets.UTF_8);
        assertThat(HostTools.lines(new ByteArrayInputStream(output), line -> line.startsWith("wanted"), 1000))
                .isEqualTo("wanted 1\nwanted 2\n");
        assertThat(HostTools.lines(new ByteArrayInputStream(output), _ -> true, 1000)).hasSizeLessThan(1010).endsWith("(cut)\n");
        byte[] endless = "w".repeat(1 << 20).getBytes(StandardCharsets.UTF_8);
        assertThat(HostTools.lines(new ByteArrayInputStream(endless), _ -> true, 1 << 20)).hasSizeLessThan(1 << 17);
    }

    @Test
    void keepsLinesOfThePluginOfTheEnginesLog() {
        String own = "level=info msg=\"vxseal 0.1.0 is up\" plugin=5f0c";
        String engines = "level=warning msg=\"plugin 5f0c exited\"";
        String others = "level=info msg=hello plugin=a1b2";
        assertThat(Stream.of(own, engines, others, "level=info").filter(line -> HostTools.isAbout(Optional.of("5f0c"), line)))
                .containsExactly(own, engines);
        assertThat(Stream.of(own, others, "level=info").filter(line -> HostTools.isAbout(Optional.empty(), line))).containsExactly(own, others);
    }

    @Test
    void describesNamespacesOfNetworks(@TempDir Path pins) throws Exception {
        try (TestHost network = new TestHost(pins.resolve("sealednet"))) {
            network.run("ip link add br4097 type bridge");
            network.run("nft add table bridge vxseal");
            Map<String, String> files = HostTools.describe(pins);
            assertThat(files.get("networks/sealednet.txt")).contains("br4097", "table bridge vxseal");
            assertThat(files.get("links.txt")).doesNotContain("br4097");
        }
    }

    /** States in the host's own namespace, as a plugin has them there. */
    @Test
    @Tag("esp")
    void listsStatesOfKernelWithoutTheirKeys(@TempDir Path pins) throws Exception {
        String state = "src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1000";
        String key = "9f8e7d6c5b4a39281706f5e4d3c2b1a000112233";
        List<String> add = new ArrayList<>(List.of(("ip xfrm state add " + state + " mode transport aead").split(" ")));
        add.addAll(List.of("rfc4106(gcm(aes))", "0x" + key, "128"));
        assertThat(new ProcessBuilder(add).inheritIO().start().waitFor()).isZero();
        try {
            assertThat(HostTools.describe(pins)).containsKey("xfrm.txt").allSatisfy((name, text) ->
                    assertThat(text).as(name).doesNotContainIgnoringCase(key.substring(0, 32)));
            assertThat(HostTools.describe(pins).get("xfrm.txt")).contains("spi 0x00001000");
        } finally {
            new ProcessBuilder(("ip xfrm state delete " + state).split(" ")).inheritIO().start().waitFor();
        }
    }
}
