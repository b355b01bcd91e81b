package io.vxseal.cluster.hub;

import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.MessageCodec;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.cluster.refusal.RefusedException;
import io.vxseal.state.WholeFile;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a hub knows, in two files. A damaged one, or one of another version, costs what is in it.
 *
 * <ul>
 *   <li>"records": a line for each, a JSON object as hubs send it;
 *   <li>"nodes": a line for each node of the swarm, its id; those that were removed have a "-" before it.
 * </ul>
 *
 * <p>Written by a thread of its own, because a disk may take seconds.
 */
public final class RecordFile implements RecordStore, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(RecordFile.class);

    /** Octets of a file at most. Of records, 10 000 endpoints on 1000 nodes take 2 MB; of more, the largest are left out. */
    static final int LIMIT = 8 * 1024 * 1024;

    /** Age of records from which on they are not read: others claim what their nodes gave up since. */
    static final Duration OLD = Duration.ofDays(1);
    private static final int IDLE_SECONDS = 1;
    private static final String REMOVED = "-";

    private final Path file;
    private final Path nodes;
    private final ThreadPoolExecutor writer;

    /** The files in this folder. */
    public RecordFile(Path folder) {
        this.file = folder.resolve("records");
        this.nodes = folder.resolve("nodes");
        this.writer = new ThreadPoolExecutor(1, 1, IDLE_SECONDS, TimeUnit.SECONDS, new LinkedBlockingQueue<>(),
                Thread.ofPlatform().daemon().name("vxseal-record-file").factory());
        writer.allowCoreThreadTimeOut(true);
    }

    @Override
    public List<NodeRecord> read() {
        try {
            if (Files.getLastModifiedTime(file).toInstant().isBefore(Instant.now().minus(OLD))) {
                throw new IOException("it is older than %d hours".formatted(OLD.toHours()));
            }
            List<NodeRecord> records = new ArrayList<>();
            for (String line : lines(file)) {
                if (MessageCodec.decode(line.getBytes(StandardCharsets.UTF_8)).orElse(null) instanceof Message.Announce(var record)) {
                    records.add(record);
                }
            }
            return records;
        } catch (NoSuchFileException _) {
            return List.of();
        } catch (IOException e) {
            return unreadable(e.toString());
        } catch (RefusedException e) {
            return unreadable(e.getMessage());
        }
    }

    private static List<String> lines(Path of) throws IOException {
        if (Files.size(of) > LIMIT) {
            throw new IOException("it has %d octets, more than %d".formatted(Files.size(of), LIMIT));
        }
        return Files.readAllLines(of);
    }

    private List<NodeRecord> unreadable(String why) {
        LOG.warn("{} cannot be read; of two nodes that claim one address, the one that is back first has it: {}", file, why);
        return List.of();
    }

    @Override
    public void write(List<NodeRecord> records) {
        writer.execute(() -> replace(records));
    }

    private void replace(List<NodeRecord> records) {
        try {
            ByteArrayOutputStream lines = new ByteArrayOutputStream();
            for (NodeRecord record : records.stream().sorted(Comparator.comparingInt(NodeRecord::octets)).toList()) {
                byte[] line = MessageCodec.encode(new Message.Announce(record));
                if (lines.size() + line.length >= LIMIT) {
                    break;
                }
                lines.writeBytes(line);
                lines.write('\n');
            }
            WholeFile.replace(file, lines.toByteArray());
        } catch (IOException e) {
            LOG.warn("{} cannot be written; after a crash of this process, of two nodes that claim one address the one that is back first "
                    + "would have it: {}", file, e.toString());
        }
    }

    @Override
    public NodeList readNodes() {
        try {
            Map<Boolean, List<String>> lines = lines(nodes).stream()
                    .collect(Collectors.partitioningBy(line -> line.startsWith(REMOVED)));
            return new NodeList(Set.copyOf(lines.getOrDefault(false, List.of())), lines.getOrDefault(true, List.of()).stream()
                    .map(line -> line.substring(REMOVED.length())).toList());
        } catch (NoSuchFileException _) {
            return NodeList.NONE;
        } catch (IOException e) {
            LOG.warn("{} cannot be read; a node that was removed while this plugin was down is found only if it comes back: {}", nodes, e.toString());
            return NodeList.NONE;
        }
    }

    @Override
    public void writeNodes(NodeList now) {
        writer.execute(() -> {
            try {
                WholeFile.replace(nodes, Stream.concat(now.listed().stream(), now.removed().stream().map(REMOVED::concat))
                        .collect(Collectors.joining("\n")).getBytes(StandardCharsets.UTF_8));
            } catch (IOException e) {
                LOG.warn("{} cannot be written; a node that is removed while this plugin is down would be found only if it comes back: {}",
                        nodes, e.toString());
            }
        });
    }

    /** Ends the writing; what was to be written is. */
    @Override
    public void close() {
        writer.close();
    }
}
