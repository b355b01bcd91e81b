package io.vxseal.cluster.refusal;

/** Thrown for something that is refused; the message names it. */
public final class RefusedException extends Exception {
    private static final long serialVersionUID = 1;

    private final Refusal reason;

    /** A refusal for this reason. */
    public RefusedException(Refusal reason, String message) {
        super(message);
        this.reason = reason;
    }

    /** Returns the reason. */
    public Refusal reason() {
        return reason;
    }
}
