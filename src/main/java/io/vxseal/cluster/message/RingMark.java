package io.vxseal.cluster.message;

/**
 * Identifies a ring without its keys; the greater is the one to have. Two managers that did not reach each other may have made rings of
 * one version: then the ring made first counts, because it may long be in use while the other is a newcomer's; then the author's id
 * decides, the same way everywhere.
 *
 * @param version 0 for no ring at all
 * @param author the node's id
 * @param made epoch milliseconds
 */
public record RingMark(long version, String author, long made) implements Comparable<RingMark> {
    /** No ring. */
    public static final RingMark NONE = new RingMark(0, "", 0);

    private static final int LONGEST_AUTHOR = 128;

    /** @throws IllegalArgumentException if the author's id is too long */
    public RingMark {
        author = author == null ? "" : author;
        if (author.length() > LONGEST_AUTHOR) {
            throw new IllegalArgumentException("author id of " + author.length() + " characters");
        }
    }

    @Override
    public int compareTo(RingMark other) {
        int order = Long.compare(version, other.version);
        if (order == 0) {
            order = Long.compare(other.made, made);
        }
        return order == 0 ? author.compareTo(other.author) : order;
    }
}
