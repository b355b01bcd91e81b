package io.vxseal.overlay.watch;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;

/**
 * Paths whose containers there answer none of the plugin's requests any more. A container may ignore pings, so one that was asked and did not
 * answer while another one did is no evidence; nor is a single one that never answered.
 *
 * <p>Pure. Not safe for use by several threads at once.
 */
public final class UnansweredPaths {
    /** Time without an answer. */
    static final Duration SILENCE = Duration.ofSeconds(10);

    /** Looks without an answer: requests of one look may be lost for a moment. */
    static final int LEAST_LOOKS = 2;

    /** Containers that never answered which are evidence together. */
    static final int LEAST_CONTAINERS = 2;

    /** Moments without a look after which it is not known any more of a path not in use whether it answers. */
    static final int FORGOTTEN = 4;

    private final Map<Path, History> histories = new HashMap<>();

    /** A path to a node, by its encrypted or its plain networks. */
    public record Path(String node, boolean encrypted) {}

    /**
     * What a look at a path found.
     *
     * @param network by which it was looked at
     * @param answering containers there that answered
     * @param unanswered those that did not
     */
    public record Look(Path path, String network, Collection<String> answering, Collection<String> unanswered) {}

    /** The containers of a path, and the looks since one answered. */
    private static final class History {
        final Set<String> answering = new HashSet<>();
        final Set<String> mute = new HashSet<>();
        final Set<String> unanswered = new HashSet<>();
        String network = "";
        int looks;
        int notInUse;
        long firstNanos;

        void answered(Look look) {
            mute.addAll(unanswered);
            mute.addAll(look.unanswered);
            mute.removeAll(look.answering);
            answering.addAll(look.answering);
            answering.removeAll(mute);
            unanswered.clear();
            looks = 0;
            notInUse = 0;
        }

        void unanswered(Look look, long nanos) {
            if (looks == 0) {
                firstNanos = nanos;
            }
            looks++;
            notInUse = 0;
            network = look.network;
            look.unanswered.stream().filter(container -> !mute.contains(container)).forEach(unanswered::add);
        }

        /** Forgets the looks, but not which containers ever answered. */
        void forgetLooks() {
            unanswered.clear();
            looks = 0;
            notInUse = 0;
        }

        boolean isSilent(long nanos) {
            return looks >= LEAST_LOOKS && nanos - firstNanos >= SILENCE.toNanos()
                    && (unanswered.size() >= LEAST_CONTAINERS || unanswered.stream().anyMatch(answering::contains));
        }
    }

    /**
     * Takes what the looks of one moment found.
     *
     * @param inUse whether packets come from a path's node, by other evidence or because none is needed
     */
    public void take(Collection<Look> looks, Predicate<Path> inUse, long nanos) {
        Set<Path> lookedAt = new HashSet<>();
        for (Look look : looks) {
            lookedAt.add(look.path);
            if (!look.answering.isEmpty()) {
                historyOf(look).answered(look);
            } else if (inUse.test(look.path)) {
                historyOf(look).unanswered(look, nanos);
            }
        }
        histories.forEach((path, history) -> {
            if (history.looks > 0 && !lookedAt.contains(path) && !inUse.test(path)) {
                history.notInUse++;
                if (history.notInUse == FORGOTTEN) {
                    history.forgetLooks();
                }
            }
        });
    }

    private History historyOf(Look look) {
        return histories.computeIfAbsent(look.path, _ -> new History());
    }

    /** Forgets all paths but those that are there still. */
    public void retain(Predicate<Path> isThere) {
        histories.keySet().removeIf(isThere.negate());
    }

    /** Returns the paths that have to be looked at again soon: those without an answer at the last look. */
    public Set<Path> open() {
        Set<Path> open = new HashSet<>();
        histories.forEach((path, history) -> {
            if (history.looks > 0) {
                open.add(path);
            }
        });
        return open;
    }

    /** Returns the paths without answers. */
    public List<Observation.Unanswered> silent(long nanos) {
        List<Observation.Unanswered> silent = new ArrayList<>();
        histories.forEach((path, history) -> {
            if (history.isSilent(nanos)) {
                silent.add(new Observation.Unanswered(path.node, history.network, path.encrypted));
            }
        });
        return silent;
    }
}
