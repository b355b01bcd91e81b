package io.vxseal;

/**
 * Full collections that keep the heap small.
 *
 * <p>The serial collector lets the heap grow up to its limit before it collects old objects. Most old objects here were needed for a
 * moment only: while the program loaded, or while a node announced its endpoints. A full collection stops the program for some ten
 * milliseconds, and shrinks the heap (see the launcher).
 */
final class HeapTrim {
    /** Growth of the heap, in octets, after which a collection is worth its pause. */
    private static final long GROWTH = 3 << 20;

    private long size = Runtime.getRuntime().totalMemory();

    /** Collects if the heap has grown. To be called periodically. */
    void trim() {
        if (Runtime.getRuntime().totalMemory() > size + GROWTH) {
            System.gc();
            size = Runtime.getRuntime().totalMemory();
        }
    }
}
