package io.vxseal.kernel.ruleset;

import java.util.List;
import java.util.OptionalInt;

/**
 * A chain of rules.
 *
 * @param hook at which packets meet it; empty for one that rules jump to
 * @param drops whether it drops, by its policy, what no rule decides
 */
record Chain(String name, OptionalInt hook, boolean drops, List<Rule> rules) {
    Chain {
        rules = List.copyOf(rules);
    }
}
