package io.vxseal.services;

import static org.awaitility.Awaitility.await;

import io.vxseal.kernel.TestHost;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.Stream;

/** A table of nf_tables that belongs to another program, in place of one with its name: the kernel refuses all others to change it. */
final class OwnedTable implements AutoCloseable {
    private final Process owner;

    OwnedTable(TestHost host, String table) throws IOException {
        owner = new ProcessBuilder(Stream.concat(host.prefix().stream(), List.of("nft", "-i").stream()).toList())
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        owner.getOutputStream().write("add table ip %1$s\ndelete table ip %1$s\nadd table ip %1$s { flags owner; }\n"
                .formatted(table).getBytes(StandardCharsets.US_ASCII));
        owner.getOutputStream().flush();
        await().until(() -> host.run("nft list tables ip").contains(table) && host.failure("nft delete table ip " + table).isPresent());
    }

    /** Ends the program, with which the kernel removes the table. */
    @Override
    public void close() throws Exception {
        owner.getOutputStream().close();
        owner.waitFor();
    }
}
