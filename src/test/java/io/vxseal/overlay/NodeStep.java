package io.vxseal.overlay;

import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * What an operator does to a node, or what happens to it.
 *
 * @param kind what
 * @param variant in which way, where there are several: bits that each kind reads for itself
 */
record NodeStep(Kind kind, int variant) {
    private static final int VARIANTS = 64;

    /** What stands between an encrypted network and the wire. Each by itself is enough. */
    enum Barrier {
        /** The host's firewall rules, both ways. */
        RULES,
        /** IPsec policies, on the way out. */
        POLICIES,
        /** Rules in the network's own namespace: the mark that policies go by, and the look at what comes in. */
        NAMESPACE
    }

    /** Whether the plugin has to run for it. */
    enum Plugin {
        RUNS,
        STOPPED,
        EITHER
    }

    /** The kinds, as often as they are drawn. */
    enum Kind {
        STARTED(30, Plugin.STOPPED),
        STOPPED(6, Plugin.RUNS),
        KILLED(4, Plugin.EITHER),
        KILLED_IN_REPAIR(4, Plugin.RUNS),
        PORT_CHANGED(3, Plugin.EITHER),
        BACKEND_CHANGED(3, Plugin.EITHER),
        STATE_FILE_DELETED(2, Plugin.EITHER),
        STATE_FILE_TORN(2, Plugin.EITHER),
        RUN_FILES_DELETED(2, Plugin.EITHER),
        REINSTALLED(3, Plugin.EITHER),
        SECOND_PLUGIN(2, Plugin.EITHER),
        ENGINE_TELLS_AGAIN(2, Plugin.RUNS),
        LINGERING_FORGOTTEN(2, Plugin.RUNS),
        KEYS_REPLACED(2, Plugin.RUNS),
        ADDRESS_CHANGED(3, Plugin.EITHER),
        CONTAINER_LEFT(2, Plugin.RUNS),
        CONTAINER_JOINED(4, Plugin.RUNS),
        CONTAINER_ENDED(2, Plugin.EITHER),
        OTHER_NETWORK_JOINED(2, Plugin.RUNS),
        OTHER_NETWORK_LEFT(2, Plugin.RUNS),
        STATES_FLUSHED(1, Plugin.EITHER),
        POLICIES_FLUSHED(3, Plugin.EITHER, Barrier.POLICIES),
        IPTABLES_FLUSHED(3, Plugin.EITHER, Barrier.RULES),
        RULESET_FLUSHED(3, Plugin.EITHER, Barrier.RULES),
        TABLES_DELETED(2, Plugin.EITHER, Barrier.RULES),
        NAMESPACE_FLUSHED(3, Plugin.EITHER, Barrier.NAMESPACE),
        ACCEPTED_FIRST(3, Plugin.EITHER, Barrier.RULES),
        MARKED_OTHERWISE(2, Plugin.EITHER, Barrier.POLICIES),
        UNPRINTABLE_RULE(2, Plugin.EITHER),
        FOREIGN_RULES_REMOVED(3, Plugin.EITHER),
        DEVICE_DOWN(2, Plugin.EITHER),
        DEVICE_UP(2, Plugin.EITHER),
        DEVICE_DELETED(2, Plugin.EITHER);

        final int weight;
        final Plugin plugin;
        /** What it takes away or gets around, until the next repair. */
        final Optional<Barrier> opens;

        Kind(int weight, Plugin plugin) {
            this(weight, plugin, Optional.empty());
        }

        Kind(int weight, Plugin plugin, Barrier opens) {
            this(weight, plugin, Optional.of(opens));
        }

        Kind(int weight, Plugin plugin, Optional<Barrier> opens) {
            this.weight = weight;
            this.plugin = plugin;
            this.opens = opens;
        }

        /**
         * Whether it can happen now, as far as that is the same for all kinds.
         *
         * @param open barriers that are out already: a second one does not go before the plugin could put back the first
         */
        boolean fits(boolean running, Set<Barrier> open) {
            boolean asWanted = plugin == Plugin.EITHER || running == (plugin == Plugin.RUNS);
            return asWanted && (opens.isEmpty() || open.stream().allMatch(opens.get()::equals));
        }
    }

    private static final List<Kind> WEIGHTED = EnumSet.allOf(Kind.class).stream()
            .flatMap(kind -> IntStream.range(0, kind.weight).mapToObj(_ -> kind))
            .toList();

    static NodeStep draw(Random random) {
        return new NodeStep(WEIGHTED.get(random.nextInt(WEIGHTED.size())), random.nextInt(VARIANTS));
    }

    /** Reads what {@link #toString} wrote, steps separated by spaces. */
    static List<NodeStep> parse(String steps) {
        return Arrays.stream(steps.trim().split("\\s+")).filter(step -> !step.isEmpty()).map(step -> {
            String[] parts = step.split("/");
            return new NodeStep(Kind.valueOf(parts[0]), Integer.parseInt(parts[1]));
        }).toList();
    }

    static String print(List<NodeStep> steps) {
        return steps.stream().map(NodeStep::toString).collect(Collectors.joining(" "));
    }

    /** One of so many ways. */
    int of(int ways) {
        return variant % ways;
    }

    boolean bit(int number) {
        return (variant >> number & 1) != 0;
    }

    @Override
    public String toString() {
        return kind + "/" + variant;
    }
}
