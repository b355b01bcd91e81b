package io.vxseal.overlay;

import io.vxseal.journal.Event;
import io.vxseal.journal.Journal;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.text.Line;
import java.io.IOException;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Counters and log of repairs. A failure is logged once per place and kind of failure, however long it lasts.
 *
 * <p>Not safe for use by several threads at once; the driver's lock guards it.
 */
final class RepairLog {
    private static final Logger log = LoggerFactory.getLogger(RepairLog.class);

    /** Kind of objects that are repaired. */
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

    /** Outcome of a repair or a step, the better ones first. */
    enum Outcome {
        DONE,
        /** The kernel could not be read for now. Whether it is as it should be is unknown. */
        INTERRUPTED,
        FAILED;

        /** Returns the worse of this and another. */
        Outcome and(Outcome other) {
            return compareTo(other) >= 0 ? this : other;
        }

        private static Outcome of(Throwable failure) {
            for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
                if (cause instanceof KernelException refused && refused.isInterruption()) {
                    return INTERRUPTED;
                }
            }
            return FAILED;
        }
    }

    /** A repair, which returns how many things it changed. */
    interface Step {
        int run() throws Exception;
    }

    /** A step of a change. */
    interface Action {
        void run() throws Exception;
    }

    /** Kinds of failure that are logged per place. After as many it is known that something is wrong there. */
    private static final int MAX_LOGGED = 8;

    /** Repairs of a place in a row that may be interrupted. After as many, what is unknown counts as wrong. */
    static final int MAX_INTERRUPTED = 3;

    private final Map<Kind, Long> counts = new EnumMap<>(Kind.class);
    private final Map<Place, Set<String>> failing = new HashMap<>();

    /** How many of a place's last repairs were interrupted in a row. */
    private final Map<Place, Integer> interrupted = new HashMap<>();

    private final ErrorLog errors;
    private final Journal journal;

    private record Place(Kind kind, String where) {
        boolean isOf(String network) {
            return where.equals(network) || where.startsWith(network + " ");
        }
    }

    /**
     * @param errors where each failure is kept for status
     * @param journal gets each repair
     */
    RepairLog(ErrorLog errors, Journal journal) {
        this.errors = errors;
        this.journal = journal;
    }

    /**
     * Runs a repair, counts what it changed, and logs its failure.
     *
     * @param where the network's id, maybe with a part of it after a blank, or "this host"
     */
    Outcome attempt(Kind kind, String where, Step step) {
        Place place = new Place(kind, where);
        Outcome outcome = run(place, step);
        switch (outcome) {
            case DONE -> interrupted.remove(place);
            // An interruption after it tells nothing better.
            case FAILED -> interrupted.put(place, MAX_INTERRUPTED);
            case INTERRUPTED -> {
                return interrupted.merge(place, 1, Integer::sum) > MAX_INTERRUPTED ? Outcome.FAILED : outcome;
            }
        }
        return outcome;
    }

    private Outcome run(Place place, Step step) {
        Kind kind = place.kind;
        String where = place.where;
        try {
            int repaired = step.run();
            if (repaired > 0) {
                long total = counts.merge(kind, (long) repaired, Long::sum);
                journal.add(Event.Kind.REPAIRED, where,
                        "repaired %d %s of %s, which were missing or changed".formatted(repaired, kind.words, where));
                log.warn("repaired {} {} of {}, which were missing or changed; {} since the start", repaired, kind.words, where, total);
            }
            if (failing.remove(place) != null) {
                log.info("{} of {} are correct again", kind.words, where);
            }
            return Outcome.DONE;
        } catch (IOException | DriverException failure) {
            if (isNew(place, failure.getMessage())) {
                log.error("cannot repair {} of {}, retrying: {}", kind.words, where, Line.of(failure.getMessage()));
            }
            return Outcome.of(failure);
        } catch (Throwable unexpected) {
            // A fault in one repair must not keep the others from being made.
            if (isNew(place, unexpected.toString())) {
                log.error("cannot repair {} of {}, retrying", kind.words, where, unexpected);
            }
            return Outcome.FAILED;
        }
    }

    /**
     * Runs a step of a change. On failure it logs that, and leaves the step to the next repair.
     *
     * @param what the step, as in "could not ..."
     */
    Outcome tryOnce(String what, Action step) {
        try {
            step.run();
            return Outcome.DONE;
        } catch (Exception failure) {
            errors.add(what, failure.getMessage());
            log.error("could not {}, retrying: {}", what, failure.getMessage());
            return Outcome.of(failure);
        }
    }

    /** Keeps a failure for status. Returns whether it is the first of its kind since the place was last correct. */
    private boolean isNew(Place place, String why) {
        errors.add("repair of " + place.where, place.kind.name(), "cannot repair %s: %s".formatted(place.kind.words, why));
        Set<String> logged = failing.computeIfAbsent(place, _ -> new HashSet<>());
        return logged.size() < MAX_LOGGED && logged.add(ErrorLog.kind(why));
    }

    /**
     * Forgets the places of a network that is deleted.
     *
     * @param network its id
     */
    void forget(String network) {
        failing.keySet().removeIf(place -> place.isOf(network));
        interrupted.keySet().removeIf(place -> place.isOf(network));
    }

    private long count(Kind kind) {
        return counts.getOrDefault(kind, 0L);
    }

    /** Returns how many things were repaired since the start. */
    Overview.Repaired repaired() {
        return new Overview.Repaired(count(Kind.RULES), count(Kind.SEALING), count(Kind.LINKS), count(Kind.ENTRIES));
    }
}
