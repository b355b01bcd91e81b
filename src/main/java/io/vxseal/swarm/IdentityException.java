package io.vxseal.swarm;

/** The swarm's certificates on this node cannot be used; the message names the file, the reason and the remedy. */
public sealed class IdentityException extends Exception permits LockedKeyException {
    private static final long serialVersionUID = 1;

    private final boolean absent;

    IdentityException(boolean absent, String message) {
        super(message);
        this.absent = absent;
    }

    IdentityException(String message, Throwable cause) {
        super(message, cause);
        this.absent = false;
    }

    /** Returns whether the files are merely missing, as before {@code docker swarm init}. */
    public final boolean isAbsent() {
        return absent;
    }
}
