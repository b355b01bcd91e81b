package io.vxseal.kernel.ruleset;

/**
 * What a rule does with a packet that it matches.
 *
 * @param chain where it goes on, by a jump or goto
 */
record Verdict(Kind kind, String chain) {
    enum Kind {
        ACCEPT,
        DROP,
        NEXT_RULE,
        RETURN,
        JUMP,
        GOTO
    }

    static final Verdict ACCEPT = new Verdict(Kind.ACCEPT, "");
    static final Verdict DROP = new Verdict(Kind.DROP, "");
    static final Verdict NEXT_RULE = new Verdict(Kind.NEXT_RULE, "");
    static final Verdict RETURN = new Verdict(Kind.RETURN, "");
}
