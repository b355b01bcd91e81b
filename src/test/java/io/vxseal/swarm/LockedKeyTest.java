package io.vxseal.swarm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.interfaces.ECPrivateKey;
import java.util.Arrays;
import java.util.Base64;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A manager's private key in an autolocked swarm, encrypted by OpenSSL in the form that swarmkit has. */
class LockedKeyTest {
    private static final long SEED = 20_150_413;
    private static final String UNLOCK_KEY = TestSwarm.unlockKey(1);

    @TempDir
    private Path folder;

    private TestSwarm swarm;
    private Path node;
    private SwarmIdentity unlocked;

    @BeforeEach
    void issue() throws IdentityException {
        swarm = TestSwarm.make(folder, "swarmswarmswarmswarmswarm");
        node = swarm.node("node-1", Role.MANAGER);
        unlocked = SwarmIdentity.read(node);
    }

    private static SwarmIdentity read(Path node, String unlockKey) throws IdentityException, IOException {
        try (UnlockKey key = UnlockKey.parse(unlockKey)) {
            return SwarmIdentity.read(node, Optional.of(key));
        }
    }

    private String pem() throws IOException {
        return Files.readString(node.resolve(SwarmIdentity.KEY));
    }

    @ParameterizedTest
    @ValueSource(strings = {"hmacWithSHA1", "hmacWithSHA256", "hmacWithSHA512"})
    void isReadWithTheUnlockKey(String prf) throws Exception {
        swarm.lock(node, UNLOCK_KEY, "-v2prf", prf, "-iter", "2048");
        assertThat(pem()).startsWith("-----BEGIN ENCRYPTED PRIVATE KEY-----\nkek-version: 12\n");
        SwarmIdentity read = read(node, UNLOCK_KEY);
        assertThat(read.key()).isEqualTo(unlocked.key());
        assertThat(read.same(unlocked)).isTrue();
    }

    @Test
    void keyOfUnlockedSwarmNeedsNone() throws Exception {
        assertThat(read(node, UNLOCK_KEY).key()).isEqualTo(unlocked.key());
    }

    @Test
    void isLockedWithoutTheUnlockKey() {
        swarm.lock(node, UNLOCK_KEY);
        assertThatExceptionOfType(LockedKeyException.class).isThrownBy(() -> SwarmIdentity.read(node))
                .withMessageContaining("swarm-node.key is encrypted: the swarm is autolocked");
    }

    @Test
    void isNotReadWithAnotherKey() {
        swarm.lock(node, UNLOCK_KEY);
        // One in 256 wrong keys leaves what looks like padding.
        for (int other = 2; other < 302; other++) {
            String wrong = TestSwarm.unlockKey(other);
            assertThatThrownBy(() -> read(node, wrong)).isInstanceOf(IdentityException.class).isNotInstanceOf(LockedKeyException.class)
                    .hasMessageContaining("swarm-node.key cannot be decrypted with the unlock key that the engine has now");
        }
    }

    @Test
    void ofAnotherNodeIsNotTheCertificates() throws IOException {
        Path other = swarm.sibling("anotheranotheranotherswarm").node("node-1", Role.MANAGER);
        swarm.lock(other, UNLOCK_KEY);
        Files.copy(other.resolve(SwarmIdentity.KEY), node.resolve(SwarmIdentity.KEY), StandardCopyOption.REPLACE_EXISTING);
        assertThatThrownBy(() -> read(node, UNLOCK_KEY)).isInstanceOf(IdentityException.class)
                .hasMessageContaining("swarm-node.key is not the key of swarm-node.crt");
    }

    @Test
    void mayNotTakeAnyNumberOfIterations() {
        swarm.lock(node, UNLOCK_KEY, "-v2prf", "hmacWithSHA1", "-iter", "100001");
        assertThatThrownBy(() -> read(node, UNLOCK_KEY)).isInstanceOf(IdentityException.class)
                .hasMessageContaining("not as engines do it").hasMessageContaining("1 to 100000 iterations");
    }

    @Test
    void ofAnotherCipherIsRefused() throws IOException {
        swarm.lock(node, UNLOCK_KEY, "-v2", "des3", "-iter", "2048");
        assertThatThrownBy(() -> read(node, UNLOCK_KEY)).isInstanceOf(IdentityException.class)
                .hasMessageContaining("not as engines do it");
        Files.writeString(node.resolve(SwarmIdentity.KEY), """
                -----BEGIN EC PRIVATE KEY-----
                Proc-Type: 4,ENCRYPTED
                DEK-Info: AES-256-CBC,00112233445566778899AABBCCDDEEFF

                MHcCAQEE
                -----END EC PRIVATE KEY-----
                """);
        assertThatThrownBy(() -> read(node, UNLOCK_KEY)).isInstanceOf(IdentityException.class)
                .hasMessageContaining("is not a PKCS#8 private key in PEM");
    }

    @Test
    void damagedFileIsRefusedByName() throws Exception {
        System.out.println("LockedKeyTest seed " + SEED);
        Random random = new Random(SEED);
        // Few iterations, for the sake of time.
        swarm.lock(node, UNLOCK_KEY, "-v2prf", "hmacWithSHA1", "-iter", "3");
        String pem = pem();
        String base64 = pem.lines().filter(line -> line.matches("[A-Za-z0-9+/=]{4,64}")).reduce("", String::concat);
        byte[] der = Base64.getDecoder().decode(base64);
        for (int length = 0; length < der.length; length++) {
            refusesOrReadsTheSame(Arrays.copyOf(der, length));
        }
        for (int round = 0; round < 4000; round++) {
            byte[] mutated = der.clone();
            for (int changes = 1 + random.nextInt(3); changes > 0; changes--) {
                mutated[random.nextInt(mutated.length)] = (byte) random.nextInt();
            }
            refusesOrReadsTheSame(mutated);
        }
        for (int length = 0; length < pem.length(); length += 1 + random.nextInt(8)) {
            refusesOrReadsTheSame(pem.substring(0, length));
        }
    }

    private void refusesOrReadsTheSame(byte[] der) throws IOException {
        refusesOrReadsTheSame("-----BEGIN ENCRYPTED PRIVATE KEY-----\n%s\n-----END ENCRYPTED PRIVATE KEY-----\n"
                .formatted(Base64.getMimeEncoder().encodeToString(der)));
    }

    private void refusesOrReadsTheSame(String pem) throws IOException {
        Files.writeString(node.resolve(SwarmIdentity.KEY), pem);
        try {
            // The public key beside it may have been damaged, which is not used.
            assertThat(((ECPrivateKey) read(node, UNLOCK_KEY).key()).getS()).isEqualTo(((ECPrivateKey) unlocked.key()).getS());
        } catch (IdentityException e) {
            assertThat(e.getMessage()).contains("swarm-node.key").doesNotContain("MII", UNLOCK_KEY.substring(9)).hasSizeLessThan(400);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "SWMKEY-1-", "SWMKEY-1-secretse", "SWMKEY-2-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "SWMKEY-1-!!secret!!AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "SWMKEY-1-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"})
    void textThatIsNoUnlockKeyIsRefusedAndNotShown(String text) {
        assertThatThrownBy(() -> UnlockKey.parse(text)).isInstanceOf(IOException.class).hasNoCause()
                .message().doesNotContain("secret", "AAAA").hasSizeGreaterThan(20);
    }

    @Test
    void unlockKeyIsWipedWhenClosed() throws IOException {
        UnlockKey key = UnlockKey.parse(UNLOCK_KEY);
        byte[] octets = key.octets();
        assertThat(octets).hasSize(32).isNotEqualTo(new byte[32]);
        key.close();
        assertThat(octets).isEqualTo(new byte[32]);
    }
}
