package io.vxseal.engine;

import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Names of networks by id, as the engine has them when they are asked for; none if it does not answer. */
public record NetworkNames(EngineApi engine) implements Supplier<Map<String, String>> {
    private static final Logger LOG = LoggerFactory.getLogger(NetworkNames.class);

    /** For what an operator waits for. */
    private static final Duration PATIENCE = Duration.ofSeconds(2);

    @Override
    public Map<String, String> get() {
        try {
            return engine.networkNames(PATIENCE);
        } catch (IOException e) {
            LOG.debug("the engine does not give the networks' names: {}", e.getMessage());
            return Map.of();
        }
    }
}
