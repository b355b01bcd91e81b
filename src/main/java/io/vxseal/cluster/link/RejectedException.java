package io.vxseal.cluster.link;

/** A peer did what is refused; the message says what. */
final class RejectedException extends Exception {
    private static final long serialVersionUID = 1;

    private final Rejection reason;

    RejectedException(Rejection reason, String message) {
        super(message);
        this.reason = reason;
    }

    Rejection reason() {
        return reason;
    }
}
