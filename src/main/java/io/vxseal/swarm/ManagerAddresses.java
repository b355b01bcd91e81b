package io.vxseal.swarm;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * The swarm's managers and their addresses, as every node's engine writes them down for its own use (swarmkit, node/node.go,
 * persistentRemotes): {@code [{"node_id":"…","addr":"10.55.0.1:2377"}]}.
 *
 * <p>An engine names other nodes to a plugin only as they come; to one that is installed on a running swarm, or started
 * again, it names none. Through the managers every node finds all others. And since the swarm itself keeps the list
 * current (a manager that is down is on it, one that was demoted or removed is not), it has the number of which a majority is needed.
 */
public final class ManagerAddresses {
    private static final ObjectMapper JSON = JsonMapper.builder()
            .disable(MapperFeature.USE_ANNOTATIONS)
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .build();

    private final Path file;
    private Optional<FileTime> seen = Optional.empty();
    private Listing listing = Listing.EMPTY;

    private record Remote(String nodeId, String addr) {}

    /**
     * Contents of the file.
     *
     * @param nodes ids of the managers; the one that a node has just joined through may not have its own yet
     * @param addresses that they listen on for the swarm's control
     */
    public record Listing(Set<String> nodes, Set<InetAddress> addresses) {
        public static final Listing EMPTY = new Listing(Set.of(), Set.of());

        /** Returns whether there are managers whose ids are not known yet. */
        public boolean isPartial() {
            return nodes.size() < addresses.size();
        }
    }

    /** @param file state.json in the engine's swarm folder; may appear later */
    public ManagerAddresses(Path file) {
        this.file = file;
    }

    /** Returns the managers, this node among them if it is one; what was read last where nothing can be read. */
    public Listing read() {
        try {
            FileTime now = Files.getLastModifiedTime(file);
            if (!seen.equals(Optional.of(now))) {
                listing = parse(Files.readAllBytes(file));
                seen = Optional.of(now);
            }
        } catch (NoSuchFileException _) {
            // Not there yet, or gone with the swarm.
            listing = Listing.EMPTY;
            seen = Optional.empty();
        } catch (IOException _) {
            // Being written: the next look reads it.
        }
        return listing;
    }

    public static Listing parse(byte[] json) throws IOException {
        Set<String> nodes = new LinkedHashSet<>();
        Set<InetAddress> addresses = new LinkedHashSet<>();
        List<Remote> remotes = JSON.readerForListOf(Remote.class).readValue(json);
        for (Remote remote : remotes == null ? List.<Remote>of() : remotes) {
            if (remote.nodeId() != null && !remote.nodeId().isEmpty()) {
                nodes.add(remote.nodeId());
            }
            host(remote.addr()).ifPresent(addresses::add);
        }
        return new Listing(Set.copyOf(nodes), addresses);
    }

    /** Returns the host of {@code 10.55.0.1:2377} or {@code [fd00::1]:2377}; a name is left alone, no name server is asked. */
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
