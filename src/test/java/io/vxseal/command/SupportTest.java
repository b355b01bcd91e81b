package io.vxseal.command;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.vxseal.encryption.Key;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import java.util.zip.ZipFile;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The archive of a plugin that has keys: what is in it, and that they are not. */
@Timeout(120)
class SupportTest {
    @TempDir
    private Path folder;

    private LoneManager manager;
    private final List<byte[]> keys = new ArrayList<>();

    @BeforeEach
    void start() throws Exception {
        manager = LoneManager.start(folder);
        List<Key> ring = new ArrayList<>();
        for (int tag = 1; tag <= 3; tag++) {
            byte[] octets = new byte[16];
            new SecureRandom().nextBytes(octets);
            keys.add(octets);
            ring.add(new Key(octets, tag));
        }
        manager.driver.initialKeys(ring);
    }

    @AfterEach
    void stop() {
        manager.close();
    }

    private Map<String, byte[]> archive() throws Exception {
        Path file = folder.resolve("support.zip");
        LoneManager.Outcome outcome = manager.run("support --output " + file);
        assertThat(outcome.status()).as(outcome.err()).isZero();
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file))).isEqualTo("rw-------");
        Map<String, byte[]> entries = new LinkedHashMap<>();
        try (ZipFile zip = new ZipFile(file.toFile())) {
            for (var entry : zip.stream().toList()) {
                entries.put(entry.getName(), zip.getInputStream(entry).readAllBytes());
            }
        }
        return entries;
    }

    /** Returns what a secret may look like in a file: raw, in hexadecimal of either case, and in base64 at any alignment. */
    private static Stream<byte[]> encodings(byte[] secret) {
        String hex = HexFormat.of().formatHex(secret);
        Stream<String> base64 = Stream.of(0, 1, 2).map(shift -> {
            // The characters that depend on the secret alone, whatever octets are around it.
            byte[] shifted = ByteBuffer.allocate(shift + secret.length).put(shift, secret).array();
            String text = Base64.getEncoder().withoutPadding().encodeToString(shifted);
            return text.substring(shift == 0 ? 0 : shift + 1, text.length() - 1);
        });
        Stream<String> texts = Stream.concat(Stream.of(hex, hex.toUpperCase(Locale.ROOT), Arrays.toString(secret)),
                base64.flatMap(text -> Stream.of(text, text.replace('+', '-').replace('/', '_'))));
        return Stream.concat(Stream.of(secret), texts.map(text -> text.getBytes(StandardCharsets.US_ASCII)));
    }

    private static boolean contains(byte[] whole, byte[] part) {
        return new String(whole, StandardCharsets.ISO_8859_1).contains(new String(part, StandardCharsets.ISO_8859_1));
    }

    private void assertNoSecret(Map<String, byte[]> archive) throws Exception {
        List<byte[]> secrets = new ArrayList<>(keys);
        String pem = Files.readString(manager.certificates.resolve("swarm-node.key"));
        secrets.add(Base64.getMimeDecoder().decode(pem.replaceAll("-----.*-----", "")));
        assertThat(archive).allSatisfy((name, content) ->
                assertThat(secrets).as(name).noneMatch(secret -> encodings(secret).anyMatch(form -> contains(content, form))));
    }

    @Test
    void findsSecretInEachEncoding() {
        byte[] secret = keys.getFirst();
        for (String form : List.of(
                HexFormat.of().withUpperCase().formatHex(secret),
                Base64.getEncoder().encodeToString(secret),
                Base64.getUrlEncoder().encodeToString(ByteBuffer.allocate(18).put(1, secret).array()))) {
            assertThat(encodings(secret)).as("what the other tests would see").anyMatch(each -> contains(("key " + form).getBytes(StandardCharsets.US_ASCII), each));
        }
    }

    @Test
    void containsStateOfPluginAndHostAndNoSecret() throws Exception {
        Map<String, byte[]> archive = archive();
        assertThat(archive).containsKeys("status.txt", "status.json", "metrics.txt", "events.json", "check.json", "versions.txt",
                "rules.txt", "xfrm.txt", "links.txt", "plugin.txt", "log.txt");
        assertThat(new ObjectMapper().readTree(archive.get("status.json")).path("ring").path("keys")).hasSize(3);
        assertThat(new ObjectMapper().readTree(archive.get("check.json"))).isNotEmpty()
                .allSatisfy(finding -> assertThat(finding.path("fit").isBoolean()).as("as check --json has it: %s", finding).isTrue());
        assertThat(new String(archive.get("metrics.txt"), StandardCharsets.UTF_8)).contains("vxseal_ring_keys 3.0");
        assertThat(new String(archive.get("links.txt"), StandardCharsets.UTF_8)).contains("# ip -d -s link", "LOOPBACK");
        assertNoSecret(archive);
    }

    @Test
    void saysWhyPluginDoesNotAnswer() throws Exception {
        manager.stopServing();
        Map<String, byte[]> archive = archive();
        assertThat(new String(archive.get("status.txt"), StandardCharsets.UTF_8)).contains("cannot ask the plugin");
        assertThat(archive).containsKey("links.txt");
        assertThat(new String(archive.get("plugin.txt"), StandardCharsets.UTF_8)).startsWith("# docker plugin ls --no-trunc\n");
        assertThat(new String(archive.get("log.txt"), StandardCharsets.UTF_8)).startsWith("# journalctl ");
    }

    @Test
    void replacesNoExistingFile() throws Exception {
        Path file = Files.writeString(folder.resolve("mine.zip"), "mine");
        LoneManager.Outcome outcome = manager.run("support --output " + file);
        assertThat(outcome.status()).isEqualTo(2);
        assertThat(outcome.err()).contains("invalid --output \"%s\": it exists, name another file".formatted(file));
        assertThat(file).hasContent("mine");
    }

    @Test
    void namesWhatIsWrongWithArguments() {
        assertRefused("support --output " + folder.resolve("none/x.zip"), "want a file in a folder that exists");
        assertRefused("support --cluster-port 65536", "invalid --cluster-port \"65536\": want 1 to 65535");
        assertRefused("check --vxlan-port 0", "invalid --vxlan-port \"0\": want 1 to 65535");
        assertRefused("check --data-root /none", "invalid --data-root \"/none\": no folder is seen there");
        assertRefused("check --swarm --host", "exclude each other");
        assertRefused("events --last 1001", "invalid --last \"1001\": want 0 to 1000");
    }

    private void assertRefused(String words, String reason) {
        LoneManager.Outcome outcome = manager.run(words);
        assertThat(outcome.status()).as(words).isEqualTo(2);
        assertThat(outcome.err()).contains(reason);
    }
}
