package io.vxseal.cluster.hub;

import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.RecordedChannel;
import io.vxseal.cluster.message.RingMark;
import io.vxseal.cluster.message.Timer;
import io.vxseal.cluster.record.EndpointRecord;
import io.vxseal.swarm.Role;
import java.util.List;

/** Sessions of nodes with a hub. */
final class TestSessions {
    private TestSessions() {}

    /**
     * Begins a session.
     *
     * @param ring that the node has
     */
    static RecordedChannel open(Hub hub, String node, Role role, RingMark ring, Timer timer) {
        RecordedChannel channel = new RecordedChannel(node, role, timer);
        hub.opened(channel);
        hub.received(channel, new Message.Hello(ring, false));
        return channel;
    }

    /** Returns the ids of the endpoints in the records that were sent since the channel was read last. */
    static List<String> endpoints(RecordedChannel channel) {
        return channel.take(Message.Records.class).stream().flatMap(each -> each.records().stream()).flatMap(record -> record.networks().stream())
                .flatMap(network -> network.endpoints().stream()).map(EndpointRecord::id).toList();
    }
}
