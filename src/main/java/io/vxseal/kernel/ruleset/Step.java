package io.vxseal.kernel.ruleset;

import java.util.List;

/**
 * What becomes of a packet at a rule.
 *
 * @param certain whether it is one of the verdicts; otherwise it may go on with the next rule as well
 */
record Step(boolean certain, List<Verdict> verdicts) {
    /** The step of a rule that does not match. */
    static final Step NONE = new Step(true, List.of(Verdict.NEXT_RULE));

    Step {
        verdicts = List.copyOf(verdicts);
    }

    static Step of(Match match, Verdict verdict) {
        return match == Match.NO ? NONE : new Step(match == Match.YES, List.of(verdict));
    }
}
