package io.vxseal.overlay;

import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Something that an operator does to a node, or that happens to it.
 *
 * @param kind what happens
 * @param variant in which way, where there are several: bits that each kind reads for itself
 */
record NodeStep(Kind kind, int variant) {
    private static final int VARIANTS = 64;

    /** A part of what keeps an encrypted network from the wire. */
    enum Barrier {
        /** The host's firewall rules, in both directions. */
        RULES,
        /** IPsec policies, on the way out, which go by the firewall mark. */
        POLICIES,
        /** The host's table that drops, on the way out, what has the packet priority and no route through our states. */
        PRIORITY,
        /** Rules in the network's own namespace: mark and priority on the way out, the check of what comes in. */
        NAMESPACE;

        /** Returns whether nothing passes in clear while these are open. */
        static boolean hold(Set<Barrier> open) {
            return !open.contains(RULES)
                    || !open.contains(NAMESPACE) && !open.containsAll(Set.of(POLICIES, PRIORITY));
        }
    }

    /** State of the plugin that a step requires. */
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
        RUN_FOLDER_CHANGED(2, Plugin.EITHER),
        /** A network's namespace is out of reach, until it is found or another one takes its place. */
        NAMESPACE_LOST(3, Plugin.EITHER),
        NAMESPACE_FOUND(6, Plugin.EITHER),
        /** The engine calls a plugin that has recovered before it names this node's address. */
        CALLED_BEFORE_SELF(4, Plugin.EITHER),
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
        RULESET_FLUSHED(3, Plugin.EITHER, Barrier.RULES, Barrier.PRIORITY),
        /** The variant chooses between the firewall's table, the priority's and both. */
        TABLES_DELETED(2, Plugin.EITHER),
        NAMESPACE_FLUSHED(3, Plugin.EITHER, Barrier.NAMESPACE),
        ACCEPTED_FIRST(3, Plugin.EITHER, Barrier.RULES),
        /** The barrier stays open until the foreign rule is gone. */
        MARKED_OTHERWISE(2, Plugin.EITHER, Barrier.POLICIES),
        UNPRINTABLE_RULE(2, Plugin.EITHER),
        FOREIGN_RULES_REMOVED(3, Plugin.EITHER),
        DEVICE_DOWN(2, Plugin.EITHER),
        DEVICE_UP(2, Plugin.EITHER),
        DEVICE_DELETED(2, Plugin.EITHER);

        final int weight;
        final Plugin plugin;
        @SuppressWarnings("ImmutableEnumChecker") // made by Set.of
        private final Set<Barrier> opens;

        Kind(int weight, Plugin plugin, Barrier... opens) {
            this.weight = weight;
            this.plugin = plugin;
            this.opens = Set.of(opens);
        }
    }

    private static final List<Set<Barrier>> TABLES =
            List.of(Set.of(Barrier.RULES), Set.of(Barrier.PRIORITY), Set.of(Barrier.RULES, Barrier.PRIORITY));

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

    /** Returns the barriers that it takes away or gets around, until the next repair. */
    Set<Barrier> opens() {
        return kind == Kind.TABLES_DELETED ? TABLES.get(of(TABLES.size())) : kind.opens;
    }

    /**
     * Returns whether it can happen now, as far as that is the same for all kinds.
     *
     * @param open barriers that are open already
     */
    boolean fits(boolean running, Set<Barrier> open) {
        Set<Barrier> then = EnumSet.noneOf(Barrier.class);
        then.addAll(open);
        then.addAll(opens());
        boolean asWanted = kind.plugin == Plugin.EITHER || running == (kind.plugin == Plugin.RUNS);
        return asWanted && (opens().isEmpty() || Barrier.hold(then));
    }

    /** Returns one of so many ways, by the variant. */
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
