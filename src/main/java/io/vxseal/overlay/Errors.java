package io.vxseal.overlay;

import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The last things that failed, each kept once with how often it did: a swarm tries a container again every few seconds,
 * and a repair goes on, and neither is to push all else out. Safe for use by several threads.
 */
public final class Errors {
    private static final int MOST = 20;

    /** Characters kept of one: what a caller gave is part of the text, and may be long. */
    private static final int LONGEST = 1000;

    /**
     * Something that failed.
     *
     * @param last when it did, the last time
     * @param times how often it did
     * @param where the call that was answered with it, or what was being done
     * @param what in words
     */
    public record Entry(Instant last, long times, String where, String what) {}

    private record Failure(String where, String what) {}

    private final Map<Failure, Entry> entries = new LinkedHashMap<>() {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Failure, Entry> eldest) {
            return size() > MOST;
        }
    };

    /** Something failed now. */
    public synchronized void add(String where, String what) {
        Failure failure = new Failure(shortened(where), shortened(String.valueOf(what)));
        Entry before = entries.remove(failure);
        long times = before == null ? 1 : before.times() + 1;
        entries.put(failure, new Entry(Instant.now(), times, failure.where(), failure.what()));
    }

    /** The last ones, the newest first. */
    public synchronized List<Entry> last() {
        return new ArrayList<>(entries.values()).reversed();
    }

    private static String shortened(String text) {
        return text.length() <= LONGEST ? text : text.substring(0, LONGEST) + "…";
    }
}
