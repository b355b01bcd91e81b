package io.vxseal.overlay;

import org.jspecify.annotations.Nullable;

/** The driver refuses a call, or could not do it; nothing is changed. The message is for the operator. */
public final class DriverException extends Exception {
    /** Why, in the terms of Docker's own error classes (moby, errdefs). */
    public enum Kind {
        /** A field of the call is missing or wrong. */
        INVALID_PARAMETER,
        /** The call is not possible as things stand: no keys yet, for one. */
        FORBIDDEN,
        /** What is asked for belongs to another. */
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
     * A field is missing or wrong.
     *
     * @param field its name as the caller knows it
     * @param value what was given
     * @param remedy what would be right
     */
    public static DriverException invalid(String field, @Nullable Object value, String remedy) {
        return new DriverException(
                Kind.INVALID_PARAMETER, "invalid %s \"%s\": %s".formatted(field, value, remedy), null);
    }

    /** As things stand the call cannot be. */
    public static DriverException forbidden(String message) {
        return new DriverException(Kind.FORBIDDEN, message, null);
    }

    /** What is asked for is another's. */
    public static DriverException conflict(String message) {
        return new DriverException(Kind.CONFLICT, message, null);
    }

    /** A step failed. */
    public static DriverException system(String step, Exception cause) {
        return new DriverException(Kind.SYSTEM, step + ": " + cause.getMessage(), cause);
    }

    /** Why. */
    public Kind kind() {
        return kind;
    }
}
