package io.vxseal.services;

import io.vxseal.kernel.netns.Namespace;
import java.io.IOException;
import java.nio.channels.Selector;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;

/** Questions about the services of one network, asked of the engine's name server from within one of the network's containers here. */
final class Inquiry implements AutoCloseable {
    /** Time that an answer is waited for: the engine asks name servers outside for up to twelve seconds. */
    private static final long ANSWER_TIMEOUT = Duration.ofSeconds(12).toNanos();

    /**
     * Time without any answer after which questions are asked from within another container, as they come due. Not all at once: that nobody
     * answers may be due to questions about services that are gone.
     */
    private static final long SILENCE = Duration.ofSeconds(3).toNanos();

    /** Pauses before a name server is tried again that does not listen yet. */
    private static final long FIRST_RETRY = Duration.ofMillis(30).toNanos();
    private static final long LAST_RETRY = Duration.ofSeconds(2).toNanos();

    private static final int NUMBERS = 1 << 16;

    /** Datagrams taken at once that answer no question. More come from somebody who sends in the engine's name. */
    private static final int MOST_STRAYS = 64;

    private final Catalogue catalogue;
    private final QuestionSchedule schedule;
    private final Selector selector;
    private final NameQuestions names;
    private Optional<NameServer> server = Optional.empty();

    /** The endpoint of the container in which questions are asked, or were last. */
    private String endpoint = "";

    private final Map<Integer, Asked> asked = new HashMap<>();
    private long lastAnswer;
    private long openAt;
    private long retry = FIRST_RETRY;

    private record Asked(Question question, long at) {}

    Inquiry(Catalogue catalogue, Selector selector, NameQuestions names) {
        this.names = names;
        this.catalogue = catalogue;
        this.schedule = new QuestionSchedule(catalogue);
        this.selector = selector;
    }

    /** Asks no more from within this endpoint's container. */
    void leave(String gone) {
        if (endpoint.equals(gone)) {
            closeServer();
            schedule.hurry();
        }
    }

    /** Makes all questions due: something has changed. */
    void hurry() {
        schedule.hurry();
    }

    /** Makes the questions about endpoints without a name due. */
    void hurryNames() {
        schedule.hurryNames();
    }

    /**
     * Returns when there is something to do next, if nothing happens before.
     *
     * @param possible whether there is a container to ask from
     */
    long nextWork(boolean possible, long now) {
        if (server.isPresent()) {
            return schedule.nextDue(now);
        }
        return possible ? openAt : Long.MAX_VALUE;
    }

    /** Asks what is due. */
    void ask(Map<String, Namespace> namespaces, long now) {
        asked.values().removeIf(question -> now - question.at > ANSWER_TIMEOUT);
        if (server.isPresent() && !asked.isEmpty() && now - lastAnswer > SILENCE) {
            closeServer();
        }
        if (server.isEmpty() && openAt <= now && !namespaces.isEmpty()) {
            openServer(namespaces, now);
        }
        if (server.isEmpty()) {
            return;
        }
        schedule.withholdNames(names.isAnyLeaving(now));
        List<Question> due = schedule.due(now);
        if (asked.isEmpty() && !due.isEmpty()) {
            lastAnswer = now;
        }
        try {
            for (Question question : due) {
                int number = ThreadLocalRandom.current().nextInt(NUMBERS);
                Asked one = new Asked(question, now);
                asked.put(number, one);
                if (question instanceof Question.NameOf) {
                    // What came before in this step may have taken a while.
                    names.asked(one, System.nanoTime());
                }
                server.get().ask(number, question);
            }
        } catch (IOException unreachable) {
            reopenSoon(now);
        }
    }

    /** Opens a socket in the container after the one used last. */
    private void openServer(Map<String, Namespace> namespaces, long now) {
        List<String> endpoints = new ArrayList<>(namespaces.keySet());
        endpoint = endpoints.get((endpoints.indexOf(endpoint) + 1) % endpoints.size());
        try {
            server = Optional.of(NameServer.open(Objects.requireNonNull(namespaces.get(endpoint)), selector, this));
            lastAnswer = now;
        } catch (IOException failure) {
            reopenSoon(now);
        }
    }

    /**
     * Asks from another socket after a pause. The kernel decides once for a socket's packets whether they are translated to where the
     * engine listens, and had no rule yet for the one that was refused.
     */
    private void reopenSoon(long now) {
        closeServer();
        schedule.hurry();
        openAt = now + retry;
        retry = Math.min(2 * retry, LAST_RETRY);
    }

    private void closeServer() {
        server.ifPresent(NameServer::close);
        server = Optional.empty();
        asked.clear();
    }

    /**
     * Takes the answers that have arrived. A container may send any number in the engine's name; then the questions are asked from
     * another one after a pause.
     *
     * @return whether there was one
     */
    boolean receive(long now) {
        boolean some = false;
        int strays = 0;
        while (server.isPresent()) {
            try {
                Optional<NameServer.Answer> answer = server.get().receive();
                if (answer.isEmpty()) {
                    return some;
                }
                if (take(server.get(), answer.get(), now)) {
                    some = true;
                } else if (++strays > MOST_STRAYS) {
                    reopenSoon(now);
                }
            } catch (IOException unreachable) {
                reopenSoon(now);
            }
        }
        return some;
    }

    private boolean take(NameServer from, NameServer.Answer answer, long now) throws IOException {
        Asked question = asked.remove(answer.id());
        if (question == null) {
            return false;
        }
        names.answered(question);
        NameServer.Answer whole = answer.truncated() ? whole(from, answer, question.question) : answer;
        lastAnswer = now;
        retry = FIRST_RETRY;
        switch (question.question) {
            case Question.NameOf it -> whole.names().stream().findFirst().ifPresent(name -> catalogue.name(it.address(), name, now));
            case Question.AddressesOf it -> catalogue.addresses(it.service(), whole.addresses(), now);
            case Question.TasksOf it -> catalogue.tasks(it.service(), whole.addresses(), question.at, now);
        }
        return true;
    }

    private static NameServer.Answer whole(NameServer from, NameServer.Answer truncated, Question question) throws IOException {
        if (!(question instanceof Question.NameOf)) {
            return from.askByTcp(truncated.id(), question);
        }
        // A name may not be asked for again, as a container may be leaving by now. Only the first one counts.
        if (truncated.names().isEmpty()) {
            throw new IOException("an answer is truncated before its first name");
        }
        return truncated;
    }

    @Override
    public void close() {
        closeServer();
    }
}
