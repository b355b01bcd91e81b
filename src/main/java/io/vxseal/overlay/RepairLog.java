package io.vxseal.overlay;

import java.io.IOException;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The account of what was not as this plugin had left it, and was put right. What cannot be put right is told in the log
 * once for each kind of failure, however long it goes on.
 */
final class RepairLog {
    private static final Logger log = LoggerFactory.getLogger(RepairLog.class);

    /** What can be put right. */
    enum Kind {
        RULES("sets of firewall rules"),
        SEALING("IPsec states and policies"),
        LINKS("links"),
        ENTRIES("entries for peers");

        private final String words;

        Kind(String words) {
            this.words = words;
        }
    }

    /** Compares, puts right, and says how many things it had to touch. */
    interface Step {
        int run() throws Exception;
    }

    /** Kinds of failure told of one place; that something is wrong there is known by then. */
    private static final int MOST_TOLD = 8;

    private final Map<Kind, Long> counts = new EnumMap<>(Kind.class);
    private final Map<Place, Set<String>> failing = new HashMap<>();

    private final ErrorLog errors;

    private record Place(Kind kind, String where) {}

    /** @param errors where each attempt that failed is kept for people to read */
    RepairLog(ErrorLog errors) {
        this.errors = errors;
    }

    /**
     * Takes a step and its account.
     *
     * @param where the network's id, or "this host"
     * @return whether all is right now
     */
    boolean attempt(Kind kind, String where, Step step) {
        Place place = new Place(kind, where);
        try {
            int repaired = step.run();
            if (repaired > 0) {
                long total = counts.merge(kind, (long) repaired, Long::sum);
                log.warn(
                        "repaired {} {} of {} that were not as they should be; {} since the start",
                        repaired,
                        kind.words,
                        where,
                        total);
            }
            if (failing.remove(place) != null) {
                log.info("{} of {} are right again", kind.words, where);
            }
            return true;
        } catch (IOException | DriverException failure) {
            if (isNews(place, failure.getMessage())) {
                log.error("cannot repair {} of {}, and goes on trying: {}", kind.words, where,
                        ErrorLog.line(failure.getMessage()));
            }
        } catch (Throwable unexpected) {
            // The other steps are not to be left out for one that has a fault.
            if (isNews(place, unexpected.toString())) {
                log.error("cannot repair {} of {}, and goes on trying", kind.words, where, unexpected);
            }
        }
        return false;
    }

    /** Keeps a failure for people to read; true if none of its kind was told since all was right at the place. */
    private boolean isNews(Place place, String why) {
        errors.add("repair of " + place.where, place.kind.name(), "cannot repair %s: %s".formatted(place.kind.words, why));
        Set<String> told = failing.computeIfAbsent(place, _ -> new HashSet<>());
        return told.size() < MOST_TOLD && told.add(ErrorLog.kind(why));
    }

    /** How many things were put right since the start, by kind. */
    Map<Kind, Long> counts() {
        Map<Kind, Long> all = new EnumMap<>(Kind.class);
        for (Kind kind : Kind.values()) {
            all.put(kind, count(kind));
        }
        return all;
    }

    private long count(Kind kind) {
        return counts.getOrDefault(kind, 0L);
    }

    /** The same in words that leave this room. */
    Overview.Repaired repaired() {
        return new Overview.Repaired(count(Kind.RULES), count(Kind.SEALING), count(Kind.LINKS), count(Kind.ENTRIES));
    }
}
