package io.vxseal.swarm;

/** This manager's private key is encrypted, and its {@link UnlockKey} is not known. */
public final class LockedKeyException extends IdentityException {
    private static final long serialVersionUID = 1;

    LockedKeyException(String message) {
        super(false, message);
    }
}
