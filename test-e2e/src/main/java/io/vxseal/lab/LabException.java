package io.vxseal.lab;

/** A failure of the laboratory or of a command in it. The message says what failed, and on which guest. */
public final class LabException extends RuntimeException {

    public LabException(String message) {
        super(message);
    }

    public LabException(String message, Throwable cause) {
        super(message, cause);
    }
}
