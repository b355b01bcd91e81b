package io.vxseal.overlay;

import io.vxseal.journal.Event;
import io.vxseal.journal.Journal;
import io.vxseal.text.Line;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * Last failures for status, one entry per kind of failure with a count.
 *
 * <p>A swarm retries a container every few seconds, and a repair is retried as well. Neither pushes all other failures out. Safe for
 * use by several threads.
 */
public final class ErrorLog {
    private static final int MAX_ENTRIES = 10;

    /** Characters that distinguish one kind of failure from another. The output of tools comes after them. */
    private static final int MAX_KIND = 100;

    /** Numbers, addresses, ids, and quoted values, which differ from one failure to the next of the same kind. */
    private static final Pattern VARIABLE = Pattern.compile("\"[^\"]*\"?|[\\w.:/%-]*\\d[\\w.:/%-]*");

    /**
     * A kind of failure.
     *
     * @param last time of the last one
     * @param times how many there were
     * @param where the call that failed, or what was being done
     * @param what message of the last one
     */
    public record Entry(Instant last, long times, String where, String what) {}

    private final Journal journal;

    private record Failure(String where, String kind) {}

    private final Map<Failure, Entry> entries = new LinkedHashMap<>() {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Failure, ErrorLog.Entry> eldest) {
            return size() > MAX_ENTRIES;
        }
    };

    /** @param journal gets the first failure of each kind, until that is pushed out */
    public ErrorLog(Journal journal) {
        this.journal = journal;
    }

    /** Adds a failure. Messages that differ in numbers, addresses and ids only are of one kind. */
    public void add(String where, String what) {
        add(where, kind(what), what);
    }

    /**
     * Adds a failure.
     *
     * @param kind of failure; of one kind at one place the last message is kept
     */
    public synchronized void add(String where, String kind, String what) {
        Failure failure = new Failure(Line.of(where), kind);
        Entry before = entries.remove(failure);
        long times = before == null ? 1 : before.times() + 1;
        entries.put(failure, new Entry(Instant.now(), times, failure.where(), Line.of(what)));
        if (before == null) {
            journal.add(Event.Kind.ERROR, failure.where(), what);
        }
    }

    /** Returns the last failures, the newest first. */
    public synchronized List<Entry> last() {
        return new ArrayList<>(entries.values()).reversed();
    }

    /** Returns the part of a message that is the same whenever the same thing fails. */
    static String kind(String message) {
        String kind = VARIABLE.matcher(Line.of(message)).replaceAll("#");
        return kind.length() > MAX_KIND ? kind.substring(0, MAX_KIND) : kind;
    }
}
