package io.vxseal.kernel.ruleset;

/** Whether a rule's condition is true of a packet of which not everything is known. */
enum Match {
    YES,
    NO,
    MAYBE;

    static Match of(boolean known) {
        return known ? YES : NO;
    }

    Match and(Match other) {
        if (this == NO || other == NO) {
            return NO;
        }
        return this == YES ? other : MAYBE;
    }

    Match or(Match other) {
        return not().and(other.not()).not();
    }

    Match not() {
        return switch (this) {
            case YES -> NO;
            case NO -> YES;
            case MAYBE -> MAYBE;
        };
    }

    /** Returns the opposite where a rule has "!" before the condition. */
    Match invertedIf(boolean inverted) {
        return inverted ? not() : this;
    }
}
