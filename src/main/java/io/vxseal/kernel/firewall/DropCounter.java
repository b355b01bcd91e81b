package io.vxseal.kernel.firewall;

/** A named counter of a table of nf_tables. A rule that refers to one is listed the same whatever it has counted. */
enum DropCounter {
    INCOMING("dropped_in"),
    OUTGOING("dropped_out");

    final String id;

    DropCounter(String id) {
        this.id = id;
    }

    /** Returns a rule as it is without its counter. */
    static String uncounted(String rule) {
        return rule.replaceFirst("counter name \\w+ drop$", "drop");
    }

    /** Returns the end of a rule that counts and drops, in nft's words. */
    String drop() {
        return "counter name %s drop".formatted(id);
    }
}
