package io.vxseal.cluster;

/** Something that arrived is not believed; the message says what it was and why. */
final class RefusedException extends Exception {
    private static final long serialVersionUID = 1;

    RefusedException(String message) {
        super(message);
    }
}
