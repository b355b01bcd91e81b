package io.vxseal.kernel.firewall;

import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * The content of a table, in nft's words.
 *
 * @param counters named counters that rules refer to
 */
record NftContent(List<DropCounter> counters, List<NamedSet> sets, List<Chain> chains) {
    /**
     * A named set.
     *
     * @param type its keys' type, with nft's word for the kind of type before it
     */
    record NamedSet(String name, String type, List<String> elements) {
        private String text() {
            return "set %s { %s; elements = { %s }; }\n".formatted(name, type, String.join(", ", elements));
        }
    }

    /**
     * A chain.
     *
     * @param hook type, hook and priority of a base chain; empty for a chain that others jump to
     */
    record Chain(String name, Optional<String> hook, List<String> rules) {
        /** Returns a chain that packets meet at a hook and that accepts what its rules do not drop. */
        static Chain base(String name, String hook, List<String> rules) {
            return new Chain(name, Optional.of(hook), rules);
        }

        static Chain regular(String name, List<String> rules) {
            return new Chain(name, Optional.empty(), rules);
        }

        private String text() {
            return "chain %s { %s%s; }\n".formatted(
                    name, hook.map("type %s; policy accept; "::formatted).orElse(""), String.join("; ", rules));
        }
    }

    NftContent {
        counters = List.copyOf(counters);
        sets = List.copyOf(sets);
        chains = List.copyOf(chains);
    }

    static NftContent of(List<DropCounter> counters, List<Chain> chains) {
        return new NftContent(counters, List.of(), chains);
    }

    /** Returns the same rules without counters. */
    NftContent uncounted() {
        return new NftContent(List.of(), sets, chains.stream()
                .map(chain -> new Chain(chain.name, chain.hook, chain.rules.stream().map(DropCounter::uncounted).toList()))
                .toList());
    }

    /** Returns the counters, sets and chains as nft lists them between the braces of a table. */
    String text() {
        return counters.stream().map(counter -> "counter %s { }\n".formatted(counter.id)).collect(Collectors.joining())
                + sets.stream().map(NamedSet::text).collect(Collectors.joining())
                + chains.stream().map(Chain::text).collect(Collectors.joining());
    }

    /** Returns how many objects and elements the kernel lists of a table with this content. */
    int size() {
        return 1
                + counters.size()
                + sets.stream().mapToInt(set -> 1 + set.elements.size()).sum()
                + chains.stream().mapToInt(chain -> 1 + chain.rules.size()).sum();
    }
}
