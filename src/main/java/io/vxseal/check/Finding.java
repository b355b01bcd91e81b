package io.vxseal.check;

/**
 * Result of one check of a host.
 *
 * @param check what was checked, in a word or two
 * @param found what was found, and what it means
 * @param remedy command that mends it, or has it tried; empty if there is nothing to do
 */
public record Finding(String check, State state, String found, String remedy) {
    /** What a check says about the host. */
    public enum State {
        FIT,
        /** Fit, but may become unfit. */
        WARNING,
        /** To be mended. */
        UNFIT,
        /** Nothing is known, because the check could not be made. */
        UNTRIED
    }

    /** Creates the result of a check that was made. */
    public Finding(String check, boolean fit, String found, String remedy) {
        this(check, fit ? State.FIT : State.UNFIT, found, remedy);
    }

    /** Returns whether the host was found to be fit for the plugin in this respect. */
    public boolean fit() {
        return state == State.FIT || state == State.WARNING;
    }

    /** Returns whether the host is fit, but may become unfit. */
    public boolean warns() {
        return state == State.WARNING;
    }

    /** Returns whether there is something to be mended. */
    public boolean unfit() {
        return state == State.UNFIT;
    }

    public static Finding fit(String check, String found) {
        return new Finding(check, State.FIT, found, "");
    }

    public static Finding unfit(String check, String found, String remedy) {
        return new Finding(check, State.UNFIT, found, remedy);
    }

    /** Creates the result of a check that could not be made; the remedy is what has it made. */
    public static Finding untried(String check, String found, String remedy) {
        return new Finding(check, State.UNTRIED, found, remedy);
    }

    public static Finding warning(String check, String found, String remedy) {
        return new Finding(check, State.WARNING, found, remedy);
    }
}
