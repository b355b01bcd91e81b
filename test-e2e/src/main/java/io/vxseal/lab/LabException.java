package io.vxseal.lab;

/** The laboratory itself, or something asked of it, failed; the message names what, and on which guest. */
public final class LabException extends RuntimeException {

    public LabException(String message) {
        super(message);
    }

    public LabException(String message, Throwable cause) {
        super(message, cause);
    }
}
