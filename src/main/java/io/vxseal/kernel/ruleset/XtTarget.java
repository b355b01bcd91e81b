package io.vxseal.kernel.ruleset;

import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Targets of x_tables that are extensions, by their names. */
final class XtTarget {
    /** Those after which the next rule follows. */
    private static final Set<String> GO_ON = Set.of("LOG", "NFLOG", "MARK", "CONNMARK", "CT", "NOTRACK", "TRACE", "CLASSIFY", "TCPMSS",
            "AUDIT", "TTL", "HL", "DSCP", "TOS", "SECMARK", "CONNSECMARK", "SET", "CHECKSUM");

    private XtTarget() {}

    /** Returns what a target does; empty if the next rule follows. */
    static Optional<Step> step(String name) {
        if (name.equals("REJECT")) {
            return Optional.of(Step.of(Match.YES, Verdict.DROP));
        }
        // NFQUEUE, TPROXY and the like: not for these rules to show.
        return GO_ON.contains(name) ? Optional.empty() : Optional.of(new Step(false, List.of(Verdict.ACCEPT)));
    }

    /** Returns whether a target keeps packets from being tracked, as an option of CT does. */
    static boolean skipsTracking(String name) {
        return name.equals("CT") || name.equals("NOTRACK");
    }
}
