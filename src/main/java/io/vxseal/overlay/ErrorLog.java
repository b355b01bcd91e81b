package io.vxseal.overlay;

import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * The last things that failed, each kind once with how often it did: a swarm tries a container again every few seconds, and
 * a repair goes on, and neither is to push all else out. Safe for use by several threads.
 */
public final class ErrorLog {
    private static final int MOST = 10;

    /** Characters kept of one: a tool may answer with all rules of the host, and a caller with anything. */
    static final int LONGEST = 300;

    /** By so much of it one kind of failure is told from another: what tools were answered comes last. */
    private static final int TELLING = 100;

    private static final Pattern BLANKS = Pattern.compile("[\\s\\p{Cntrl}]+");

    /** Numbers, addresses and ids, which are another each time; what was given, in quotation marks. */
    private static final Pattern CHANGING = Pattern.compile("\"[^\"]*\"?|[\\w.:/%-]*\\d[\\w.:/%-]*");

    /**
     * Something that failed.
     *
     * @param last when it did, the last time
     * @param times how often it did
     * @param where the call that was answered with it, or what was being done
     * @param what in words, the last time
     */
    public record Entry(Instant last, long times, String where, String what) {}

    private record Failure(String where, String kind) {}

    private final Map<Failure, Entry> entries = new LinkedHashMap<>() {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Failure, ErrorLog.Entry> eldest) {
            return size() > MOST;
        }
    };

    /** Something failed now, of a kind that its words tell: with other numbers, addresses and ids they tell the same. */
    public void add(String where, String what) {
        add(where, kind(what), what);
    }

    /**
     * Something failed now.
     *
     * @param kind of failure; of one kind at one place the last words are kept
     */
    public synchronized void add(String where, String kind, String what) {
        Failure failure = new Failure(line(where), kind);
        Entry before = entries.remove(failure);
        long times = before == null ? 1 : before.times() + 1;
        entries.put(failure, new Entry(Instant.now(), times, failure.where(), line(what)));
    }

    /** The last ones, the newest first. */
    public synchronized List<Entry> last() {
        return new ArrayList<>(entries.values()).reversed();
    }

    /** The words on one line, which ends in an ellipsis if there are more of them than anybody reads. */
    static String line(String words) {
        String whole = String.valueOf(words);
        // A ruleset may be megabytes; no more than what may be kept is worth looking at.
        boolean cut = whole.length() > 2 * LONGEST;
        String line = BLANKS.matcher(cut ? whole.substring(0, 2 * LONGEST) : whole).replaceAll(" ").strip();
        return line.length() > LONGEST ? line.substring(0, LONGEST - 1) + "…" : cut ? line + "…" : line;
    }

    /** What stays of the words whenever the same fails again. */
    static String kind(String words) {
        String kind = CHANGING.matcher(line(words)).replaceAll("#");
        return kind.length() > TELLING ? kind.substring(0, TELLING) : kind;
    }
}
