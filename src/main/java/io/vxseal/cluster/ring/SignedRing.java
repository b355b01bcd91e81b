package io.vxseal.cluster.ring;

import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.RingMark;
import io.vxseal.cluster.refusal.Refusal;
import io.vxseal.cluster.refusal.RefusedException;
import io.vxseal.encryption.Key;
import io.vxseal.encryption.KeyRing;
import io.vxseal.swarm.Role;
import io.vxseal.swarm.Signer;
import io.vxseal.swarm.SwarmIdentity;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.cert.CertificateException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * A key ring, signed by the manager that made it: what is sent, and what is kept on the tmpfs. {@link #open} verifies, and nothing else
 * makes one from octets.
 *
 * <p>The octets: format (1), version (8), made (8, epoch milliseconds), external (1), number of keys (1), for each its
 * tag (4), replay window (2), length (1) and octets; number of revoked keys (1), for each its tag (4); number of certificates (1), for
 * each its length (2) and DER form; then the signature (2 + n) over a label, the swarm's id and all that comes before.
 */
public final class SignedRing {
    /** Greatest version that is taken: a rotation each second for 30 000 years. */
    static final long GREATEST_VERSION = 1L << 40;

    private static final byte FORMAT = 1;
    private static final byte[] LABEL = "vxseal ring 1\0".getBytes(StandardCharsets.US_ASCII);
    private static final int MOST_KEYS = 16;
    private static final int MOST_CERTIFICATES = 8;

    private final RingMark mark;
    private final KeyRing keys;
    private final Set<Integer> revoked;
    private final boolean external;
    private final Instant until;
    private final byte[] octets;
    private final Message.Ring message;

    /** For a ring that was verified. */
    SignedRing(RingMark mark, KeyRing keys, Set<Integer> revoked, boolean external, Instant until, byte[] octets) {
        this.mark = mark;
        this.keys = keys;
        this.revoked = Set.copyOf(revoked);
        this.external = external;
        this.until = until;
        this.octets = octets;
        this.message = new Message.Ring(octets);
    }

    /**
     * Signs a ring in this node's name.
     *
     * @throws IllegalArgumentException if this node is no manager, for nobody would accept it
     */
    static SignedRing sign(SwarmIdentity identity, long version, Instant made, boolean external, KeyRing keys, Set<Integer> revoked) {
        if (identity.name().role() != Role.MANAGER) {
            throw new IllegalArgumentException("a worker signs no rings");
        }
        byte[] body = body(identity, version, made, external, keys, revoked);
        byte[] signature = identity.sign(signed(identity, body));
        ByteArrayOutputStream octets = new ByteArrayOutputStream();
        try (DataOutputStream out = new DataOutputStream(octets)) {
            out.write(body);
            out.writeShort(signature.length);
            out.write(signature);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        try {
            return open(identity, octets.toByteArray());
        } catch (RefusedException e) {
            throw new IllegalStateException("this node's own ring is refused: " + e.getMessage(), e);
        }
    }

    /**
     * Reads and verifies a ring.
     *
     * @throws RefusedException if it is not one, or not by a manager of this swarm
     */
    static SignedRing open(SwarmIdentity identity, byte[] octets) throws RefusedException {
        if (octets.length > Message.Ring.LIMIT) {
            throw new RefusedException(Refusal.BOUNDS, "ring of %d octets".formatted(octets.length));
        }
        try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(octets))) {
            if (in.readByte() != FORMAT) {
                throw new RefusedException(Refusal.RING, "ring of an unknown format");
            }
            long version = in.readLong();
            long made = in.readLong();
            boolean external = in.readBoolean();
            List<Key> keys = new ArrayList<>();
            for (int left = count(in, MOST_KEYS); left > 0; left--) {
                int tag = in.readInt();
                int replayWindow = in.readUnsignedShort();
                keys.add(new Key(exactly(in, in.readUnsignedByte()), tag, replayWindow));
            }
            Set<Integer> revoked = new HashSet<>();
            for (int left = count(in, MOST_KEYS); left > 0; left--) {
                revoked.add(in.readInt());
            }
            List<byte[]> chain = new ArrayList<>();
            for (int left = count(in, MOST_CERTIFICATES); left > 0; left--) {
                chain.add(exactly(in, in.readUnsignedShort()));
            }
            byte[] body = Arrays.copyOf(octets, octets.length - in.available());
            byte[] signature = exactly(in, in.readUnsignedShort());
            if (in.available() > 0) {
                throw new RefusedException(Refusal.RING, "ring with octets after its end");
            }
            Signer signer = identity.signer(SwarmIdentity.decode(chain));
            if (signer.name().role() != Role.MANAGER) {
                throw new RefusedException(Refusal.RING,
                        "ring signed by node %s, which is no manager".formatted(signer.name().node()));
            }
            if (!SwarmIdentity.verify(signer.key(), signed(identity, body), signature)) {
                throw new RefusedException(Refusal.RING_SIGNATURE, "ring whose signature is not node %s's".formatted(signer.name().node()));
            }
            if (version <= 0 || version > GREATEST_VERSION) {
                throw new RefusedException(Refusal.RING_VERSION, "ring with version " + version);
            }
            if (keys.isEmpty()) {
                throw new RefusedException(Refusal.RING, "ring without keys");
            }
            return new SignedRing(new RingMark(version, signer.name().node(), made), new KeyRing(keys), revoked, external,
                    signer.until(), octets.clone());
        } catch (IOException | IllegalArgumentException e) {
            throw new RefusedException(Refusal.RING, "ring that cannot be read: " + e.getMessage());
        } catch (CertificateException e) {
            throw new RefusedException(Refusal.RING, "ring with a bad " + e.getMessage());
        }
    }

    /** Returns which ring it is. */
    public RingMark mark() {
        return mark;
    }

    /** Returns the keys, the primary first. */
    public KeyRing keys() {
        return keys;
    }

    /** Returns the tags of keys that nodes have which are not of the swarm any more. Rotations follow until the ring has none of them. */
    public Set<Integer> revoked() {
        return revoked;
    }

    /** Returns when the keys last changed, by the author's clock. */
    public Instant made() {
        return Instant.ofEpochMilli(mark.made());
    }

    /** Returns whether the engine delivered the keys, and alone rotates them. */
    public boolean external() {
        return external;
    }

    /** Returns when the author's certificate ends, and with it everyone's trust in this signature. */
    public Instant until() {
        return until;
    }

    /** Returns a copy of all octets, signature included. */
    public byte[] octets() {
        return octets.clone();
    }

    /** Returns the message that carries this ring; the same object each time, so that it is encoded once for all sessions. */
    Message.Ring message() {
        return message;
    }

    boolean hasOctets(byte[] others) {
        return Arrays.equals(octets, others);
    }

    /** Names keys by tag only. */
    @Override
    public String toString() {
        return "ring %d by %s with tags %s%s".formatted(mark.version(), mark.author(),
                keys.keys().stream().map(key -> Integer.toUnsignedString(key.tag())).toList(),
                external ? ", delivered by the engine" : "");
    }

    private static byte[] body(
            SwarmIdentity identity, long version, Instant made, boolean external, KeyRing keys, Set<Integer> revoked) {
        ByteArrayOutputStream octets = new ByteArrayOutputStream();
        try (DataOutputStream out = new DataOutputStream(octets)) {
            out.writeByte(FORMAT);
            out.writeLong(version);
            out.writeLong(made.toEpochMilli());
            out.writeBoolean(external);
            out.writeByte(keys.keys().size());
            for (Key key : keys.keys()) {
                byte[] secret = key.octets();
                out.writeInt(key.tag());
                out.writeShort(key.replayWindow());
                out.writeByte(secret.length);
                out.write(secret);
            }
            out.writeByte(revoked.size());
            for (int tag : revoked) {
                out.writeInt(tag);
            }
            List<byte[]> chain = SwarmIdentity.encode(identity.chain());
            out.writeByte(chain.size());
            for (byte[] der : chain) {
                out.writeShort(der.length);
                out.write(der);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return octets.toByteArray();
    }

    /** The label keeps a signature over a ring from being taken for one over anything else. */
    private static byte[] signed(SwarmIdentity identity, byte[] body) {
        ByteArrayOutputStream octets = new ByteArrayOutputStream();
        octets.writeBytes(LABEL);
        octets.writeBytes(identity.name().swarm().getBytes(StandardCharsets.US_ASCII));
        octets.write(0);
        octets.writeBytes(body);
        return octets.toByteArray();
    }

    private static int count(DataInputStream in, int most) throws IOException {
        int count = in.readUnsignedByte();
        if (count > most) {
            throw new IOException("%d where at most %d make sense".formatted(count, most));
        }
        return count;
    }

    private static byte[] exactly(DataInputStream in, int length) throws IOException {
        byte[] octets = new byte[length];
        in.readFully(octets);
        return octets;
    }
}
