package io.vxseal.cluster.link;

import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.MessageCodec;
import io.vxseal.cluster.refusal.RefusedException;
import java.util.Arrays;
import java.util.Optional;

/** Fuzz target: octets of a message. */
public final class MessageFuzzer {
    private MessageFuzzer() {}

    /** Checks that octets are refused or make a message that is the same after it was written and read again. */
    public static void fuzzerTestOneInput(byte[] octets) {
        Optional<Message> message;
        try {
            message = MessageCodec.decode(octets);
        } catch (RefusedException _) {
            return;
        }
        message.ifPresent(MessageFuzzer::writeAndRead);
    }

    private static void writeAndRead(Message message) {
        byte[] written = MessageCodec.encode(message);
        try {
            byte[] again = MessageCodec.encode(MessageCodec.decode(written).orElseThrow());
            if (!Arrays.equals(written, again)) {
                throw new IllegalStateException("a message is another one when it is read back");
            }
        } catch (RefusedException e) {
            throw new IllegalStateException("a message that was read is refused when it is read back", e);
        }
    }
}
