package io.vxseal.cluster;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Where the swarm's managers are, as every node's engine writes it down for its own use (swarmkit, node/node.go,
 * persistentRemotes): {@code [{"node_id":"…","addr":"10.55.0.1:2377"}]}.
 *
 * <p>An engine tells a plugin of other nodes only as they come; to one that is installed on a running swarm, or started
 * again, it names none. Through the managers every node finds all others.
 */
final class ManagerAddresses {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Path file;
    private Optional<FileTime> seen = Optional.empty();
    private Set<InetAddress> addresses = Set.of();

    @JsonIgnoreProperties(ignoreUnknown = true)
    private record Remote(String addr) {}

    /** @param file state.json in the engine's swarm folder; may appear later */
    ManagerAddresses(Path file) {
        this.file = file;
    }

    /** The managers' addresses, this node's own among them if it is one; what was read last where nothing can be read. */
    Set<InetAddress> read() {
        try {
            FileTime now = Files.getLastModifiedTime(file);
            if (!seen.equals(Optional.of(now))) {
                addresses = parse(Files.readAllBytes(file));
                seen = Optional.of(now);
            }
        } catch (IOException _) {
            // Not there yet, or being written: the next look will tell.
        }
        return addresses;
    }

    static Set<InetAddress> parse(byte[] json) throws IOException {
        Set<InetAddress> addresses = new LinkedHashSet<>();
        List<Remote> remotes = JSON.readerForListOf(Remote.class).readValue(json);
        for (Remote remote : remotes == null ? List.<Remote>of() : remotes) {
            host(remote.addr()).ifPresent(addresses::add);
        }
        return addresses;
    }

    /** The host of {@code 10.55.0.1:2377} or {@code [fd00::1]:2377}; a name is left alone, no name server is asked. */
    private static Optional<InetAddress> host(String address) {
        int colon = address == null ? -1 : address.lastIndexOf(':');
        if (colon < 0) {
            return Optional.empty();
        }
        String host = address.substring(0, colon).replaceAll("^\\[|]$", "");
        try {
            return Optional.of(InetAddress.ofLiteral(host));
        } catch (IllegalArgumentException _) {
            return Optional.empty();
        }
    }
}
