package io.vxseal.kernel;

import java.io.IOException;

/** A firewall rule could not be put in place or taken away. The message says which, why, and what to do about it. */
public final class FirewallException extends IOException {
    FirewallException(String message) {
        super(message);
    }

    FirewallException(String message, Throwable cause) {
        super(message, cause);
    }
}
