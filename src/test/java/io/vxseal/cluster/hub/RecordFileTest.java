package io.vxseal.cluster.hub;

import static io.vxseal.cluster.record.TestRecords.away;
import static io.vxseal.cluster.record.TestRecords.endpoint;
import static io.vxseal.cluster.record.TestRecords.worker;
import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.cluster.record.EndpointRecord;
import io.vxseal.cluster.record.NodeRecord;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RecordFileTest {
    @TempDir
    Path folder;

    private Path file() {
        return folder.resolve("records");
    }

    private void write(List<NodeRecord> records) {
        try (RecordFile file = new RecordFile(folder)) {
            file.write(records);
        }
    }

    private List<NodeRecord> read() {
        try (RecordFile file = new RecordFile(folder)) {
            return file.read();
        }
    }

    private static NodeRecord admitted(NodeRecord record, long since) {
        return record.admitted(record.role(), since, record.networks().stream().map(network ->
                network.with(network.endpoints().stream().map(each -> each.admitted(since)).toList())).toList());
    }

    @Test
    void keepsRecordsWithTheirAdmissionTimes() throws IOException {
        List<NodeRecord> records = List.of(admitted(away(worker("w1", 5, 1, endpoint(2))), 1000), admitted(worker("w2", 1, 2, endpoint(3)), 2000));
        assertThat(read()).as("before the first write").isEmpty();
        write(records);
        assertThat(read()).containsExactlyInAnyOrderElementsOf(records);
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file()))).isEqualTo("rw-------");
        write(records.subList(0, 1));
        assertThat(read()).containsExactly(records.getFirst());
    }

    @Test
    void damagedFileCostsWhatIsInItOnly() throws IOException {
        write(List.of(worker("w1", 5, 1, endpoint(2))));
        byte[] whole = Files.readAllBytes(file());
        for (int end = 0; end < whole.length - 1; end += 40) {
            Files.write(file(), Arrays.copyOf(whole, end));
            assertThat(read()).as("%d octets of the file", end).isEmpty();
        }
        Files.write(file(), new byte[RecordFile.LIMIT + 1]);
        assertThat(read()).as("more than is ever written").isEmpty();
        write(List.of(worker("w1", 5, 1, endpoint(2))));
        assertThat(read()).hasSize(1);
    }

    /** Sixteen nodes that claim all they may would leave no room for the others. */
    @Test
    void largeRecordsTakeNoRoomFromSmallOnes() throws IOException {
        List<NodeRecord> records = new ArrayList<>();
        for (int number = 1; number <= 100; number++) {
            records.add(worker("large" + number, 1, number, IntStream.range(0, NodeRecord.MOST_ENDPOINTS)
                    .mapToObj(n -> endpoint("e".repeat(60) + n, 2 + n % 250)).toArray(EndpointRecord[]::new)));
        }
        NodeRecord small = worker("w1", 5, 200, endpoint(2));
        records.add(small);
        write(records);
        assertThat(Files.size(file())).isBetween(RecordFile.LIMIT / 2L, (long) RecordFile.LIMIT);
        assertThat(read()).contains(small).hasSizeBetween(10, 90);
    }

    /** A node that was a worker for a week, say, is a manager again. */
    @Test
    void oldRecordsAreNotRead() throws IOException {
        write(List.of(worker("w1", 5, 1, endpoint(2))));
        Files.setLastModifiedTime(file(), FileTime.from(Instant.now().minus(RecordFile.OLD.minusMinutes(1))));
        assertThat(read()).hasSize(1);
        Files.setLastModifiedTime(file(), FileTime.from(Instant.now().minus(RecordFile.OLD.plusMinutes(1))));
        assertThat(read()).isEmpty();
    }

    @Test
    void keepsTheListOfNodes() throws IOException {
        NodeList nodes = new NodeList(Set.of("m1", "w1"), List.of("w3", "w2"));
        try (RecordFile file = new RecordFile(folder)) {
            assertThat(file.readNodes()).as("before the first write").isEqualTo(NodeList.NONE);
            file.writeNodes(nodes);
        }
        try (RecordFile file = new RecordFile(folder)) {
            assertThat(file.readNodes()).isEqualTo(nodes);
            Path path = folder.resolve("nodes");
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path))).isEqualTo("rw-------");
            Files.write(path, new byte[] {(byte) 0xff});
            assertThat(file.readNodes()).as("damaged").isEqualTo(NodeList.NONE);
            Files.write(path, new byte[RecordFile.LIMIT + 1]);
            assertThat(file.readNodes()).as("more than is ever written").isEqualTo(NodeList.NONE);
        }
    }
}
