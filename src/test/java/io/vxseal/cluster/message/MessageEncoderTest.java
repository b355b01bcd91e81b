package io.vxseal.cluster.message;

import static io.vxseal.cluster.record.TestRecords.endpoint;
import static io.vxseal.cluster.record.TestRecords.worker;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.SerializableString;
import io.vxseal.cluster.record.NodeRecord;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class MessageEncoderTest {
    private final MessageEncoder encoder = new MessageEncoder();

    @Test
    void sharedRecordsAreReadAsTheyAre() throws Exception {
        NodeRecord one = worker("w\"1", 1, 3, endpoint("e\"\\", 7));
        NodeRecord other = worker("w2", 1, 4);
        for (Message message : List.of(
                new Message.Records(List.of(one, other), List.of("w3"), true),
                new Message.Records(List.of(other, one), List.of(), false),
                new Message.Announce(one))) {
            assertThat(MessageCodec.decode(encoder.encode(message))).isEqualTo(Optional.of(message));
            assertThat(encoder.encode(message)).isEqualTo(MessageCodec.encode(message));
        }
    }

    @Test
    void encodesRingOnceForAllSessions() {
        Message.Ring ring = new Message.Ring(new byte[] {1, 2, 3});
        assertThat(encoder.encode(ring)).isSameAs(encoder.encode(ring)).isEqualTo(MessageCodec.encode(ring));
        Message.Ring next = new Message.Ring(new byte[] {4});
        assertThat(encoder.encode(next)).isEqualTo(MessageCodec.encode(next));
    }

    @Test
    void forgetsRecordsBeforeTheyTakeMuchMemory() {
        List<NodeRecord> many = IntStream.range(0, 40_000).mapToObj(n -> worker("w" + n, 1, 3, endpoint(7))).toList();
        SerializableString first = encoder.encode(many.getFirst());
        assertThat(encoder.encode(many.getFirst())).isSameAs(first);
        many.forEach(record -> encoder.encode(new Message.Records(List.of(record), List.of(), false)));
        assertThat(encoder.encode(many.getFirst())).isNotSameAs(first);
        assertThat(encoder.encode(new Message.Announce(many.getFirst()))).isEqualTo(MessageCodec.encode(new Message.Announce(many.getFirst())));
    }
}
