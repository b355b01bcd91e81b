package io.vxseal.check;

/**
 * Result of one check of a host.
 *
 * @param check what was checked, in a word or two
 * @param fit whether the host is fit for the plugin in this respect
 * @param found what was found, and what it means
 * @param remedy command that mends it; empty if nothing has to be mended. One of a fit host is for a warning
 */
public record Finding(String check, boolean fit, String found, String remedy) {
    public static Finding fit(String check, String found) {
        return new Finding(check, true, found, "");
    }

    public static Finding unfit(String check, String found, String remedy) {
        return new Finding(check, false, found, remedy);
    }

    /** Returns a finding that is no failure, but may become one. */
    public static Finding warning(String check, String found, String remedy) {
        return new Finding(check, true, found, remedy);
    }

    /** Returns whether it is a warning. */
    public boolean warns() {
        return fit && !remedy.isEmpty();
    }
}
