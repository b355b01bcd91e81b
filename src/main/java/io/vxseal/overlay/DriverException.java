package io.vxseal.overlay;

import org.jspecify.annotations.Nullable;

/** Refusal or failure of a call, which changed nothing. The message is for the operator. */
public final class DriverException extends Exception {
    /** Reasons, named as Docker's error classes (moby, errdefs). */
    public enum Kind {
        /** A field of the call is missing or wrong. */
        INVALID_PARAMETER,
        /** The call is not possible in the present state, for example without keys. */
        FORBIDDEN,
        /** The call conflicts with another network, endpoint or plugin. */
        CONFLICT,
        /** The kernel, the firewall or the disk failed. */
        SYSTEM
    }

    private final Kind kind;

    private DriverException(Kind kind, String message, @Nullable Throwable cause) {
        super(message, cause);
        this.kind = kind;
    }

    /**
     * Returns the refusal of a field that is missing or wrong.
     *
     * @param field its name as the caller knows it
     * @param value as given
     * @param remedy what is accepted
     */
    public static DriverException invalid(String field, @Nullable Object value, String remedy) {
        return new DriverException(
                Kind.INVALID_PARAMETER, "invalid %s \"%s\": %s".formatted(field, value, remedy), null);
    }

    /** Returns the refusal of a call that is not possible in the present state. */
    public static DriverException forbidden(String message) {
        return new DriverException(Kind.FORBIDDEN, message, null);
    }

    /** Returns the refusal of a call that conflicts with another network, endpoint or plugin. */
    public static DriverException conflict(String message) {
        return new DriverException(Kind.CONFLICT, message, null);
    }

    /** Returns the failure of a step. */
    public static DriverException system(String step, Exception cause) {
        return new DriverException(Kind.SYSTEM, step + ": " + cause.getMessage(), cause);
    }

    /** Returns the reason. */
    public Kind kind() {
        return kind;
    }
}
