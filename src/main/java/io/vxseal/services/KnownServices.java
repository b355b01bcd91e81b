package io.vxseal.services;

import io.vxseal.services.Question.ServiceName;
import io.vxseal.state.StateFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Names of the services on each network, in a file, so that a later process knows them at once. */
final class KnownServices {
    private static final Logger log = LoggerFactory.getLogger(KnownServices.class);

    private final StateFile<Content> file;
    private Map<String, List<String>> names = Map.of();

    /**
     * Content of the file.
     *
     * @param services names by network id
     */
    record Content(Map<String, List<String>> services) {}

    KnownServices(Path path) {
        this.file = new StateFile<>(path, Content.class);
        try {
            file.read().ifPresent(content -> names = content.services());
        } catch (IOException damaged) {
            log.warn("{}; the services are looked up anew", damaged.getMessage());
        }
    }

    /** Returns the services of a network. */
    List<ServiceName> of(String network) {
        return names.getOrDefault(network, List.of()).stream().map(ServiceName::parse).toList();
    }

    /** Replaces the services of all networks, and writes them if they changed. */
    void update(Map<String, List<ServiceName>> services) {
        Map<String, List<String>> now = new TreeMap<>();
        services.forEach((network, some) -> {
            if (!some.isEmpty()) {
                now.put(network, some.stream().map(ServiceName::toString).toList());
            }
        });
        if (!now.equals(names)) {
            names = now;
            try {
                file.write(new Content(now));
            } catch (IOException failure) {
                log.warn("could not write the known services: {}", failure.getMessage());
            }
        }
    }
}
