package io.vxseal.engine;

import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Poll of the engine for the ids of the swarm's nodes, while this node is a manager. That a node was removed is seen nowhere else. Only
 * a whole list with this node on it counts: that of another swarm, which the engine may have left or joined meanwhile, has not.
 */
public final class SwarmNodes {
    private static final Logger LOG = LoggerFactory.getLogger(SwarmNodes.class);

    private static final Duration INTERVAL = Duration.ofSeconds(10);
    /** After a failure: the engine logs an error for each request that it cannot answer. */
    private static final Duration AFTER_FAILURE = Duration.ofSeconds(30);

    private final EngineApi engine;
    private final Supplier<Optional<String>> manager;
    private final Consumer<Set<String>> listener;
    private final Consumer<String> failures;
    private boolean failing;

    /**
     * @param manager returns this node's id; empty if it is no manager
     * @param listener takes each list
     * @param failures takes the reason of each failure
     */
    public SwarmNodes(
            EngineApi engine, Supplier<Optional<String>> manager, Consumer<Set<String>> listener, Consumer<String> failures) {
        this.engine = engine;
        this.manager = manager;
        this.listener = listener;
        this.failures = failures;
    }

    /** Polls on a thread of its own until the process ends. */
    public void start() {
        Thread.ofVirtual().name("vxseal-swarm-nodes").start(() -> {
            try {
                // The engine answers nothing before all its plugins are up.
                Duration pause = INTERVAL;
                while (true) {
                    Thread.sleep(pause);
                    pause = poll() ? INTERVAL : AFTER_FAILURE;
                }
            } catch (InterruptedException _) {
                Thread.currentThread().interrupt();
            }
        });
    }

    /** Asks once. Returns whether there was nothing to ask, or a list. */
    boolean poll() {
        try {
            Optional<String> self = manager.get();
            if (self.isPresent()) {
                Set<String> nodes = engine.nodes();
                if (!nodes.contains(self.get())) {
                    throw new IOException("its list of the swarm's nodes lacks this one");
                }
                listener.accept(nodes);
            }
            if (failing) {
                failing = false;
                LOG.info("asking the engine for the swarm's nodes works again");
            }
            return true;
        } catch (IOException e) {
            failures.accept("the engine does not list the swarm's nodes: " + e.getMessage());
            if (!failing) {
                LOG.warn("the engine does not list the swarm's nodes, so a node that is removed keeps its session; retrying: {}", e.getMessage());
            }
        } catch (Throwable e) {
            LOG.error("unexpected error in asking the engine for the swarm's nodes, retrying", e);
        }
        failing = true;
        return false;
    }
}
