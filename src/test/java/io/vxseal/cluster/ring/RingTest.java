package io.vxseal.cluster.ring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vxseal.cluster.Hosts;
import io.vxseal.cluster.message.RingMark;
import io.vxseal.cluster.refusal.RefusedException;
import io.vxseal.encryption.Key;
import io.vxseal.encryption.KeyRing;
import io.vxseal.swarm.NodeName;
import io.vxseal.swarm.Role;
import io.vxseal.swarm.SwarmIdentity;
import io.vxseal.swarm.TestSwarm;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Instant;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A signed ring is believed only as it was signed, by a manager of this swarm. */
public class RingTest {
    private static final String SWARM = "swarmswarmswarmswarmswarm";

    @TempDir
    private static Path temp;

    private static TestSwarm swarm;
    private static SwarmIdentity manager;
    private static SwarmIdentity worker;

    @BeforeAll
    static void identities() throws Exception {
        swarm = TestSwarm.make(Files.createDirectories(temp.resolve("ca")), SWARM);
        manager = SwarmIdentity.read(swarm.node("manager1", Role.MANAGER));
        worker = SwarmIdentity.read(swarm.node("worker1", Role.WORKER));
    }

    @Test
    void opensRingAsItWasSigned() throws Exception {
        KeyRing keys = Hosts.keys(5, 4, 6);
        Instant made = Instant.ofEpochMilli(1_700_000_000_123L);
        SignedRing ring = SignedRing.open(worker, SignedRing.sign(manager, 9, made, true, keys, Set.of(4, 6)).octets());
        assertThat(ring.keys()).isEqualTo(keys);
        assertThat(ring.mark()).isEqualTo(new RingMark(9, "manager1", made.toEpochMilli()));
        assertThat(ring.made()).isEqualTo(made);
        assertThat(ring.external()).isTrue();
        assertThat(ring.revoked()).containsExactlyInAnyOrder(4, 6);
        assertThat(ring.until()).isAfter(Instant.now());
    }

    @Test
    void laterVersionWinsAndOfOneVersionTheEarlierMade() {
        assertThat(List.of(new RingMark(2, "a", 5), new RingMark(1, "c", 8), new RingMark(1, "b", 8),
                        new RingMark(1, "z", 9), RingMark.NONE))
                .isSortedAccordingTo(Comparator.reverseOrder());
    }

    @Test
    void keyCarriesValidReplayWindowOnly() throws Exception {
        byte[] octets = new byte[KeyAuthority.KEY_OCTETS];
        KeyRing keys = new KeyRing(List.of(new Key(octets, 1, 4096), new Key(octets, 2, 32), new Key(octets, 3)));
        byte[] good = SignedRing.sign(manager, 1, Instant.now(), false, keys, Set.of()).octets();
        assertThat(SignedRing.open(worker, good).keys()).isEqualTo(keys);
        byte[] window = {0, 31};
        System.arraycopy(window, 0, good, 1 + 8 + 8 + 1 + 1 + 4, window.length);
        assertThatThrownBy(() -> SignedRing.open(worker, resign(good, 3, manager)))
                .isInstanceOf(RefusedException.class).hasMessageContaining("a replay window of 31 packets");
    }

    @Test
    void refusesAnyChangedOctetAndShowsNoKey() {
        KeyRing keys = Hosts.keys(0x51, 0x52, 0x53);
        byte[] good = SignedRing.sign(manager, 1, Instant.now(), false, keys, Set.of()).octets();
        String secret = HexFormat.of().formatHex(keys.keys().getFirst().octets()).substring(0, 12);
        int ownFields = 1 + 8 + 8 + 1 + 1 + 3 * (4 + 2 + 1 + KeyAuthority.KEY_OCTETS) + 1;
        // Every octet of the ring itself; of certificate and signature some, for each costs a walk to the root.
        for (int i = 0; i < good.length; i += i < ownFields ? 1 : 23) {
            byte[] bad = good.clone();
            bad[i] ^= 1;
            assertThatThrownBy(() -> SignedRing.open(worker, bad)).as("octet %d", i)
                    .isInstanceOf(RefusedException.class)
                    .message().doesNotContain(secret);
        }
        for (int length : List.of(0, 1, 10, 40, 100, good.length - 1)) {
            assertThatThrownBy(() -> SignedRing.open(worker, Arrays.copyOf(good, length)))
                    .isInstanceOf(RefusedException.class);
        }
        assertThatThrownBy(() -> SignedRing.open(worker, Arrays.copyOf(good, good.length + 1)))
                .isInstanceOf(RefusedException.class);
    }

    @Test
    void onlyManagersOfThisSwarmSign() throws Exception {
        KeyRing keys = Hosts.keys(1, 2, 3);
        byte[] good = SignedRing.sign(manager, 1, Instant.now(), false, keys, Set.of()).octets();
        assertThatThrownBy(() -> SignedRing.sign(worker, 1, Instant.now(), false, keys, Set.of()))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> SignedRing.open(manager, resign(good, 3, worker)))
                .isInstanceOf(RefusedException.class).hasMessageContaining("no manager");
        SwarmIdentity sibling = SwarmIdentity.read(swarm.sibling("othersother").node("manager2", Role.MANAGER));
        assertThatThrownBy(() -> SignedRing.open(manager, resign(good, 3, sibling)))
                .isInstanceOf(RefusedException.class).hasMessageContaining("othersother");
        TestSwarm fake = TestSwarm.make(Files.createDirectories(temp.resolve("fake")), SWARM);
        SwarmIdentity outsider = SwarmIdentity.read(fake.node("manager3", Role.MANAGER));
        assertThatThrownBy(() -> SignedRing.open(manager, resign(good, 3, outsider)))
                .isInstanceOf(RefusedException.class).hasMessageContaining("not of this swarm");
        assertThat(SignedRing.open(worker, resign(good, 3, manager)).keys()).isEqualTo(keys);
    }

    @Test
    void ringFileIsPrivateAndVerifiedWhenRead() throws Exception {
        RingFile file = new RingFile(temp.resolve("tmpfs"));
        assertThat(file.read(RingTrust.of(worker))).isEmpty();
        SignedRing ring = SignedRing.sign(manager, 3, Instant.now(), false, Hosts.keys(1, 2, 3), Set.of());
        file.write(ring);
        assertThat(file.read(RingTrust.of(worker)).orElseThrow().mark()).isEqualTo(ring.mark());
        file.write(SignedRing.sign(manager, 4, Instant.now(), false, Hosts.keys(2, 3, 4), Set.of()));
        assertThat(file.read(RingTrust.of(worker)).orElseThrow().mark().version()).isEqualTo(4);
        Path at = temp.resolve("tmpfs").resolve("ring");
        assertThat(Files.getPosixFilePermissions(at)).hasToString("[OWNER_READ, OWNER_WRITE]");
        Files.write(at, Arrays.copyOf(Files.readAllBytes(at), 200));
        assertThat(file.read(RingTrust.of(worker))).isEmpty();
    }

    @Test
    void messagesAndTextsShowNoKey() {
        SignedRing ring = SignedRing.sign(manager, 3, Instant.now(), false, Hosts.keys(0x61, 0x62, 0x63), Set.of());
        assertThat(ring).hasToString("ring 3 by manager1 with tags [97, 98, 99]");
        for (Key key : ring.keys().keys()) {
            assertThat(ring.toString()).doesNotContain(HexFormat.of().formatHex(key.octets()).substring(0, 6));
        }
    }

    @Test
    void namesTheFileThatCannotBeUsed() throws Exception {
        Path folder = swarm.node("broken", Role.WORKER);
        assertThat(SwarmIdentity.read(folder).name()).isEqualTo(new NodeName(SWARM, Role.WORKER, "broken"));
        Path other = swarm.node("another", Role.WORKER);
        Files.copy(other.resolve("swarm-node.key"), folder.resolve("swarm-node.key"),
                StandardCopyOption.REPLACE_EXISTING);
        assertThatThrownBy(() -> SwarmIdentity.read(folder)).hasMessageContaining("is not the key of swarm-node.crt");
        swarm.run("openssl", "pkcs8", "-topk8", "-in", other.resolve("swarm-node.key").toString(), "-passout",
                "pass:secret", "-out", folder.resolve("swarm-node.key").toString());
        assertThatThrownBy(() -> SwarmIdentity.read(folder)).hasMessageContaining("the swarm is autolocked");
        Files.writeString(folder.resolve("swarm-node.key"), "junk");
        assertThatThrownBy(() -> SwarmIdentity.read(folder)).hasMessageContaining("swarm-node.key is not a PKCS#8");
        Files.writeString(folder.resolve("swarm-node.crt"), "junk");
        assertThatThrownBy(() -> SwarmIdentity.read(folder)).hasMessageContaining("swarm-node.crt");
        Files.delete(folder.resolve("swarm-root-ca.crt"));
        Files.copy(other.resolve("swarm-node.crt"), folder.resolve("swarm-node.crt"),
                StandardCopyOption.REPLACE_EXISTING);
        assertThatThrownBy(() -> SwarmIdentity.read(folder)).hasMessageContaining("swarm-root-ca.crt is not there");
    }

    /** The same ring in the name of another, honestly or not: its chain in place of the author's, and its signature. */
    public static byte[] resign(byte[] ring, int keys, SwarmIdentity as) throws IOException {
        int head = 1 + 8 + 8 + 1 + 1 + keys * (4 + 2 + 1 + KeyAuthority.KEY_OCTETS) + 1;
        ByteArrayOutputStream octets = new ByteArrayOutputStream();
        try (DataOutputStream out = new DataOutputStream(octets)) {
            out.write(ring, 0, head);
            List<byte[]> chain = SwarmIdentity.encode(as.chain());
            out.writeByte(chain.size());
            for (byte[] der : chain) {
                out.writeShort(der.length);
                out.write(der);
            }
            byte[] label = ("vxseal ring 1\0" + SWARM + "\0").getBytes(StandardCharsets.US_ASCII);
            ByteArrayOutputStream signed = new ByteArrayOutputStream();
            signed.writeBytes(label);
            signed.writeBytes(octets.toByteArray());
            byte[] signature = as.sign(signed.toByteArray());
            out.writeShort(signature.length);
            out.write(signature);
        }
        return octets.toByteArray();
    }
}
