package io.vxseal.cluster;

/** The swarm's certificates on this node cannot be used; the message says which file, why, and what helps. */
final class IdentityException extends Exception {
    private static final long serialVersionUID = 1;

    /** Whether they are merely not there yet, as before {@code docker swarm init}. */
    final boolean absent;

    IdentityException(boolean absent, String message) {
        super(message);
        this.absent = absent;
    }

    IdentityException(String message, Throwable cause) {
        super(message, cause);
        this.absent = false;
    }
}
