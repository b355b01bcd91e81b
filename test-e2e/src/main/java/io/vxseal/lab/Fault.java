package io.vxseal.lab;

/**
 * Something wrong on a host, until this is closed.
 *
 * @param end shell command that mends it
 */
public record Fault(Guest guest, String end) implements AutoCloseable {

    /** Runs the shell command that damages the host. */
    public static Fault on(Guest guest, String begin, String end) {
        guest.sh(begin);
        return new Fault(guest, end);
    }

    @Override
    public void close() {
        guest.sh(end);
    }
}
