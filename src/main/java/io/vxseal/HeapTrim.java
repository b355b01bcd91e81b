package io.vxseal;

/**
 * Keeps the heap near what lives in it. The serial collector lets it grow up to its limit before it looks at what is old,
 * and most of what is old here was needed for a moment: while the program loaded, or while a node told its endpoints. A
 * full collection stops the program for some ten milliseconds, and cuts the heap (see the launcher).
 */
final class HeapTrim {
    /** Octets; what the collector does not get back young has then filled as much. */
    private static final long GROWTH = 3 << 20;

    private long size = Runtime.getRuntime().totalMemory();

    /** To be called now and then; collects if the heap has grown. */
    void trim() {
        if (Runtime.getRuntime().totalMemory() > size + GROWTH) {
            System.gc();
            size = Runtime.getRuntime().totalMemory();
        }
    }
}
