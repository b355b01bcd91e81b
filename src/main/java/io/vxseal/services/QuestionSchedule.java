package io.vxseal.services;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Times at which the engine's name server is asked what a catalogue does not know, or what may have changed since.
 *
 * <p>Pure: time is a parameter, in nanoseconds. For one thread at a time.
 */
final class QuestionSchedule {
    /** Interval of questions about a service that has tasks. */
    private static final long INTERVAL = Duration.ofSeconds(1).toNanos();

    /** Interval of questions about a service's VIPs, which hardly ever change. */
    private static final long ADDRESS_INTERVAL = Duration.ofSeconds(5).toNanos();

    /** Pauses between questions that the engine may forward to name servers outside. They grow with the time that it takes. */
    private static final long FIRST_PAUSE = Duration.ofMillis(100).toNanos();
    private static final long LAST_PAUSE = Duration.ofSeconds(5).toNanos();
    private static final int PAUSE_OF_TIME = 8;

    /**
     * Longest pause between questions about a service that the engine does not confirm. It is gone: its tasks were on a node that went, whose
     * endpoints the cluster keeps for ten minutes, or a process before this one knew it. The engine forwards each such question to name servers
     * outside, and logs that these do not know either. Denial changes nothing in the catalogue, and a service that is back has new endpoints, whose
     * names make the questions due. So questions in between serve a node alone that the engine lost sight of for a while.
     */
    private static final long LAST_GONE_PAUSE = Duration.ofMinutes(1).toNanos();

    /** Part of the time without confirmation: a few lost answers of a busy engine change little. */
    private static final int GONE_PAUSE_OF_TIME = 4;

    private final Catalogue catalogue;

    /** When each question was last asked. */
    private final Map<Question, Long> asked = new HashMap<>();

    private boolean namesWithheld;

    QuestionSchedule(Catalogue catalogue) {
        this.catalogue = catalogue;
    }

    /** Sets whether no question about an endpoint's name may be asked ({@link NameQuestions}). Those that come due meanwhile are due after. */
    void withholdNames(boolean now) {
        namesWithheld = now;
    }

    /** Makes all questions due: something has changed. */
    void hurry() {
        asked.clear();
    }

    /** Makes the questions about endpoints without a name due: a container looks for an address that may be their service's. */
    void hurryNames() {
        asked.keySet().removeIf(question -> question instanceof Question.NameOf);
    }

    /** Returns the questions that are due, and counts them as asked. */
    List<Question> due(long now) {
        Map<Question, Long> times = times(now);
        asked.keySet().retainAll(times.keySet());
        List<Question> due = new ArrayList<>();
        times.forEach((question, time) -> {
            if (time <= now && !isWithheld(question)) {
                due.add(question);
                asked.put(question, now);
            }
        });
        return due;
    }

    /** Returns when the next question is due. */
    long nextDue(long now) {
        return times(now).entrySet().stream().filter(timed -> !isWithheld(timed.getKey())).map(Map.Entry::getValue)
                .reduce(now + ADDRESS_INTERVAL, Math::min);
    }

    private boolean isWithheld(Question question) {
        return namesWithheld && question instanceof Question.NameOf;
    }

    /** Returns the time of each question. One not asked since the catalogue changed its subject is due now. */
    private Map<Question, Long> times(long now) {
        Map<Question, Long> times = new LinkedHashMap<>();
        // The first task of a service whose VIP refuses connections has it served again.
        boolean refuses = catalogue.hasServiceWithoutEndpoints();
        catalogue.unnamed(now).forEach((address, unnamed) -> {
            Question name = new Question.NameOf(address);
            times.put(name, last(name).filter(at -> at >= unnamed.since())
                    .map(at -> at + pause(unnamed.since(), at, longestNamePause(unnamed, refuses))).orElse(now));
        });
        catalogue.expected().forEach((service, answered) -> {
            Question addresses = new Question.AddressesOf(service);
            times.put(addresses, last(addresses)
                    .filter(at -> at >= answered.grown() && (answered.denied().isEmpty() || at >= answered.denied().get()))
                    .map(at -> at + Math.max(addressInterval(answered), gonePause(answered, at))).orElse(now));
            Question tasks = new Question.TasksOf(service);
            times.put(tasks, last(tasks)
                    .map(at -> at + Math.max(taskInterval(answered, at), gonePause(answered, at))).orElse(now));
        });
        return times;
    }

    private static long longestNamePause(Catalogue.Unnamed unnamed, boolean refuses) {
        if (refuses) {
            return INTERVAL;
        }
        return unnamed.foreign() ? LAST_GONE_PAUSE : LAST_PAUSE;
    }

    private Optional<Long> last(Question question) {
        return Optional.ofNullable(asked.get(question));
    }

    private static long addressInterval(ServiceAnswers answered) {
        if (answered.denied().isPresent()) {
            return FIRST_PAUSE;
        }
        return answered.hasAddresses() ? ADDRESS_INTERVAL : INTERVAL;
    }

    private static long taskInterval(ServiceAnswers answered, long at) {
        return answered.empty().map(since -> pause(since, at, LAST_PAUSE)).orElse(INTERVAL);
    }

    private static long gonePause(ServiceAnswers answered, long at) {
        return Math.min((at - answered.confirmed()) / GONE_PAUSE_OF_TIME, LAST_GONE_PAUSE);
    }

    private static long pause(long since, long now, long longest) {
        return Math.clamp((now - since) / PAUSE_OF_TIME, FIRST_PAUSE, longest);
    }
}
