package io.vxseal.cluster.message;

import com.fasterxml.jackson.core.SerializableString;
import com.fasterxml.jackson.core.io.SerializedString;
import io.vxseal.cluster.record.NodeRecord;
import java.util.IdentityHashMap;

/**
 * Encoder of messages to many sessions: a record that is in messages to several is encoded once, and so is a ring. Which they are is known by
 * identity, because comparing would cost as much. Not thread-safe.
 */
public final class MessageEncoder {
    /** Characters of records that are kept: those that are sent in one round, not those of all nodes. */
    private static final int MOST_CHARACTERS = 1 << 20;

    private final IdentityHashMap<NodeRecord, SerializableString> records = new IdentityHashMap<>();
    private int characters;
    /** The ring that was encoded last. */
    private final IdentityHashMap<Message.Ring, byte[]> ring = new IdentityHashMap<>();

    /** Returns the message's octets, which must not be changed. */
    public byte[] encode(Message message) {
        return message instanceof Message.Ring carried ? encode(carried) : MessageCodec.encode(message, this::encode);
    }

    private byte[] encode(Message.Ring carried) {
        byte[] known = ring.get(carried);
        if (known != null) {
            return known;
        }
        byte[] encoded = MessageCodec.encode(carried);
        ring.clear();
        ring.put(carried, encoded);
        return encoded;
    }

    /** Returns the record's text, of which no copy is made as long as it is kept. */
    SerializableString encode(NodeRecord record) {
        SerializableString known = records.get(record);
        if (known != null) {
            return known;
        }
        SerializableString encoded = new SerializedString(MessageCodec.encode(record));
        if (characters > MOST_CHARACTERS) {
            records.clear();
            characters = 0;
        }
        characters += encoded.charLength();
        records.put(record, encoded);
        return encoded;
    }
}
