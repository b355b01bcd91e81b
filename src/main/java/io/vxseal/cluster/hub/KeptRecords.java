package io.vxseal.cluster.hub;

import io.vxseal.cluster.record.EndpointRecord;
import io.vxseal.cluster.record.NodeRecord;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.stream.LongStream;

/**
 * Records as the hub's previous process had them. They vouch for no node: until it announces itself anew they tell since when its claims
 * stand, which it cannot be asked itself. Without them the claim that comes first after a restart of all hubs would stand.
 *
 * <p>Pure, one thread.
 */
final class KeptRecords {
    /** Least time between two writes, for each record: of a thousand nodes all is written every ten seconds at most. */
    private static final Duration INTERVAL = Duration.ofMillis(10);

    /** Time after which records that did not change are written again: the age of what is read is that of the file. */
    private static final Duration REFRESH = Duration.ofMinutes(10);

    private final RecordStore store;
    private final Duration retention;
    private final long began;
    private final List<NodeRecord> ended = new ArrayList<>();
    /** Of nodes that have not announced themselves since. */
    private final Map<String, NodeRecord> earlier = new HashMap<>();
    private final long latest;
    private List<NodeRecord> written = List.of();
    private long lastWrite;

    /**
     * Reads what the previous process had.
     *
     * @param retention time for the nodes to be back
     */
    KeptRecords(RecordStore store, Duration retention, long now) {
        this.store = store;
        this.retention = retention;
        this.began = now;
        this.lastWrite = now;
        for (NodeRecord record : store.read()) {
            if (record.ended()) {
                ended.add(record);
            } else {
                earlier.put(record.node(), record);
            }
        }
        this.latest = earlier.values().stream().flatMapToLong(KeptRecords::admissions).max().orElse(0);
    }

    private static LongStream admissions(NodeRecord record) {
        return LongStream.concat(LongStream.of(record.vtepSince()), record.networks().stream()
                .flatMap(network -> network.endpoints().stream()).mapToLong(EndpointRecord::since));
    }

    /** Returns the time at which the last of their claims was admitted, epoch milliseconds: this hub's clock may have been set back since. */
    long latest() {
        return latest;
    }

    /** Returns what was left of records that had ended. */
    List<NodeRecord> ended() {
        return List.copyOf(ended);
    }

    /** Returns the record that a node had, if it has announced none since. */
    Optional<NodeRecord> earlier(String node) {
        return Optional.ofNullable(earlier.get(node));
    }

    /** Forgets what a node had: it announced itself anew, or was removed. */
    void forget(String node) {
        earlier.remove(node);
    }

    /**
     * Writes the records if they changed, and it is time. To be called each second.
     *
     * @param current what a later process has to know
     */
    void keep(Supplier<List<NodeRecord>> current, long now) {
        if (now - began >= retention.toNanos()) {
            earlier.clear();
        }
        if (now - lastWrite < INTERVAL.multipliedBy(written.size()).toNanos()) {
            return;
        }
        // Equal if nothing changed: their order is that of maps, and records that did not change are the same objects.
        List<NodeRecord> all = new ArrayList<>(current.get());
        all.addAll(earlier.values());
        if (!all.equals(written) || !all.isEmpty() && now - lastWrite >= REFRESH.toNanos()) {
            written = List.copyOf(all);
            lastWrite = now;
            store.write(written);
        }
    }
}
