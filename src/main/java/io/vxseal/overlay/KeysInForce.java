package io.vxseal.overlay;

import io.vxseal.encryption.Handover;
import io.vxseal.encryption.Key;
import io.vxseal.encryption.KeyRing;
import io.vxseal.state.StateFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The keys that the kernel's states are under, kept on a tmpfs. A process that ends in the middle of a {@link Handover} leaves states under
 * keys which the ring does not have. With this the next process goes on from there; without it, it changes to the ring at once, and
 * packets of a node that is a moment behind are lost. So a failure is logged, not thrown.
 */
final class KeysInForce {
    private static final Logger log = LoggerFactory.getLogger(KeysInForce.class);

    private final Optional<StateFile<Stored>> file;

    /** A ring as it is written. */
    record Stored(List<StoredKey> keys) {
        private static Stored of(KeyRing ring) {
            return new Stored(ring.keys().stream()
                    .map(key -> new StoredKey(key.octets(), key.tag(), key.replayWindow()))
                    .toList());
        }

        private KeyRing ring() {
            return new KeyRing(keys.stream().map(key -> new Key(key.octets, key.tag, key.replayWindow)).toList());
        }
    }

    /** A key as it is written. */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    record StoredKey(byte[] octets, int tag, int replayWindow) {}

    /** @param folder on a tmpfs; without one nothing is kept */
    KeysInForce(Optional<Path> folder) {
        file = folder.map(tmpfs -> new StateFile<>(tmpfs.resolve("keys-in-force.json"), Stored.class));
    }

    /** Returns the ring last written; empty if there is none. */
    KeyRing read() {
        try {
            return file.isEmpty() ? KeyRing.EMPTY : file.get().read().map(Stored::ring).orElse(KeyRing.EMPTY);
        } catch (IOException | IllegalArgumentException | NullPointerException damaged) {
            // What the exception says may quote a key.
            log.warn("the file of the keys in force cannot be read; if this process's predecessor was changing to other keys,"
                    + " packets may be lost for some seconds");
            return KeyRing.EMPTY;
        }
    }

    /** Replaces the ring that is kept. To be called before the kernel is changed to it. */
    void write(KeyRing ring) {
        try {
            if (file.isPresent()) {
                file.get().write(Stored.of(ring));
            }
        } catch (IOException failure) {
            log.warn("the keys in force cannot be kept; if this process ends while it changes to other keys, packets may be lost for"
                    + " some seconds: {}", failure.toString());
        }
    }
}
