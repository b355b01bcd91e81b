package io.vxseal.cluster.message;

/** Thrown for something that is refused; the message says what it was and why. */
public final class RefusedException extends Exception {
    private static final long serialVersionUID = 1;

    /** A refusal for this reason. */
    public RefusedException(String message) {
        super(message);
    }
}
