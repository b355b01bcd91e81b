package io.vxseal.cluster.refusal;

/** Listener of what is refused. */
public interface RefusalListener {
    /**
     * Notes a refusal.
     *
     * @param source a node's id or an address
     * @param detail what was refused
     */
    void refused(Refusal reason, String source, String detail);

    /** Notes a refusal that was thrown. */
    default void refused(RefusedException refused, String source) {
        refused(refused.reason(), source, String.valueOf(refused.getMessage()));
    }
}
