package io.vxseal.cluster.record;

import java.util.List;
import java.util.Objects;

/**
 * What a node found on its paths to others.
 *
 * @param paths one per address
 * @param findings about paths that do not pass, in words; not all if there are many
 */
public record PathReport(List<Path> paths, List<Finding> findings) {
    /** Most paths of one report. */
    public static final int MOST_PATHS = 2000;

    /** Most findings of one report. */
    public static final int MOST_FINDINGS = 20;

    /** A report of no paths. */
    public static final PathReport EMPTY = new PathReport(List.of(), List.of());

    private static final int LONGEST_ADDRESS = 64;
    private static final int LONGEST_TEXT = 300;

    /** What a node found on a path. */
    public enum State {
        /** Packets pass there and back, the largest as well. */
        PASSES,
        /** Some or all packets do not pass. */
        FAILS,
        /** There was no time to try it. */
        UNTRIED
    }

    /**
     * A path.
     *
     * @param address of the node at its end
     */
    public record Path(String address, State state) {
        /** Shortens what is too long. A state that this version does not know is one that was not found out. */
        public Path {
            address = NodeReport.shortened(address, LONGEST_ADDRESS);
            state = state == null ? State.UNTRIED : state;
        }
    }

    /**
     * Why a path does not pass.
     *
     * @param address of the node at its end
     * @param found what was found, and what it means
     * @param remedy command or setting that mends it
     */
    public record Finding(String address, String found, String remedy) {
        /** Shortens what is too long: a report comes from another node. */
        public Finding {
            address = NodeReport.shortened(address, LONGEST_ADDRESS);
            found = NodeReport.shortened(found, LONGEST_TEXT);
            remedy = NodeReport.shortened(remedy, LONGEST_TEXT);
        }
    }

    /** Drops what is too much: a report comes from another node. */
    public PathReport {
        paths = limited(paths, MOST_PATHS);
        findings = limited(findings, MOST_FINDINGS);
    }

    private static <T> List<T> limited(List<T> given, int most) {
        return given == null ? List.of() : given.stream().filter(Objects::nonNull).limit(most).toList();
    }
}
