package io.vxseal.services;

import static io.vxseal.services.KnownNetwork.SECOND;
import static io.vxseal.services.KnownNetwork.VIP;
import static io.vxseal.services.KnownNetwork.WEB;
import static io.vxseal.services.KnownNetwork.address;
import static io.vxseal.services.KnownNetwork.task;
import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.address.Cidr;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class QuestionScheduleTest {
    private final Catalogue catalogue = KnownNetwork.catalogue();
    private final QuestionSchedule schedule = new QuestionSchedule(catalogue);

    /** Adds a service with a VIP and a task. */
    private void webWithOneTask() {
        KnownNetwork.serve(catalogue, WEB, List.of(VIP), 2);
    }

    @Test
    void asksNamesThenServicesAndRestsForSecond() {
        catalogue.add(address(2), "a", 0);
        assertThat(schedule.due(0)).containsExactly(new Question.NameOf(address(2)));
        catalogue.name(address(2), task("web", 1), 0);
        assertThat(schedule.due(0)).containsExactlyInAnyOrder(new Question.AddressesOf(WEB), new Question.TasksOf(WEB));
        catalogue.addresses(WEB, List.of(VIP), 0);
        catalogue.tasks(WEB, List.of(address(2)), 0, 0);
        assertThat(schedule.due(SECOND - 1)).isEmpty();
        assertThat(schedule.nextDue(SECOND / 2)).isEqualTo(SECOND);
        assertThat(schedule.due(SECOND)).containsExactly(new Question.TasksOf(WEB));
    }

    @Test
    void namesComeDueAfterTheyWereWithheld() {
        webWithOneTask();
        catalogue.add(address(3), "b", SECOND);
        schedule.due(SECOND);
        catalogue.add(address(4), "c", 2 * SECOND);
        schedule.withholdNames(true);
        assertThat(schedule.due(2 * SECOND)).containsExactly(new Question.TasksOf(WEB));
        assertThat(schedule.nextDue(2 * SECOND)).isEqualTo(3 * SECOND);
        schedule.withholdNames(false);
        assertThat(schedule.nextDue(2 * SECOND)).isEqualTo(2 * SECOND - SECOND + SECOND / 10);
        assertThat(schedule.due(2 * SECOND)).containsExactlyInAnyOrder(new Question.NameOf(address(3)), new Question.NameOf(address(4)));
    }

    @Test
    void reusedAddressIsNamedAnew() {
        catalogue.add(address(2), "a", 0);
        catalogue.add(address(3), "b", 0);
        catalogue.name(address(2), task("web", 1), 0);
        catalogue.addresses(WEB, List.of(VIP), 0);
        catalogue.tasks(WEB, List.of(address(2), address(3)), 0, 0);
        catalogue.add(address(3), "other", SECOND);
        assertThat(schedule.due(SECOND)).contains(new Question.NameOf(address(3)));
        catalogue.name(address(3), task("web", 2), SECOND);
        catalogue.tasks(WEB, List.of(address(2)), SECOND, SECOND);
        assertThat(schedule.due(2 * SECOND)).as("the name may be the former endpoint's").contains(new Question.NameOf(address(3)));
    }

    @Test
    void pausesGrowWithTimeWithoutName() {
        catalogue.add(address(2), "a", 0);
        assertThat(schedule.due(0)).hasSize(1);
        assertThat(schedule.nextDue(0)).isEqualTo(SECOND / 10);
        assertThat(schedule.due(8 * SECOND)).hasSize(1);
        assertThat(schedule.due(9 * SECOND - 1)).isEmpty();
        assertThat(schedule.due(9 * SECOND)).hasSize(1);
    }

    /** A VIP of its own: the engine's answers for the name are those of a new service. */
    @Test
    void newTaskMakesQuestionForAddressesDue() {
        webWithOneTask();
        assertThat(schedule.due(0)).hasSize(2);
        catalogue.add(address(3), "b", SECOND);
        catalogue.name(address(3), task("web", 2), SECOND);
        catalogue.tasks(WEB, List.of(address(2), address(3)), SECOND, SECOND);
        assertThat(schedule.due(SECOND)).contains(new Question.AddressesOf(WEB));
        catalogue.tasks(WEB, List.of(address(3)), 2 * SECOND, 2 * SECOND);
        assertThat(schedule.due(2 * SECOND)).doesNotContain(new Question.AddressesOf(WEB));
    }

    @Test
    void namesAreAskedEachSecondWhileServiceWithoutEndpointsRefuses() {
        webWithOneTask();
        catalogue.remove(address(2), SECOND);
        catalogue.add(address(3), "b", SECOND);
        assertThat(schedule.due(31 * SECOND)).contains(new Question.NameOf(address(3)));
        assertThat(schedule.due(32 * SECOND)).contains(new Question.NameOf(address(3)));
    }

    /** A name server outside may have names for all addresses. A task that is healthy late would wait for a minute. */
    @Test
    void foreignNamesAreAskedEachSecondWhileServiceWithoutEndpointsRefuses() {
        webWithOneTask();
        catalogue.remove(address(2), SECOND);
        catalogue.add(address(3), "b", SECOND);
        catalogue.name(address(3), "ip-10-0-1-3.internal", SECOND);
        assertThat(schedule.due(121 * SECOND)).contains(new Question.NameOf(address(3)));
        assertThat(schedule.due(122 * SECOND)).contains(new Question.NameOf(address(3)));
    }

    @Test
    void hurryMakesQuestionsDueThatWereJustAsked() {
        catalogue.add(address(2), "a", 0);
        assertThat(schedule.due(0)).hasSize(1);
        assertThat(schedule.due(1)).isEmpty();
        schedule.hurry();
        assertThat(schedule.due(1)).hasSize(1);
    }

    @Test
    void missedAddressMakesQuestionsForNamesDueAndNoOthers() {
        webWithOneTask();
        catalogue.add(address(3), "b", 0);
        assertThat(schedule.due(0)).hasSize(3);
        assertThat(schedule.due(1)).isEmpty();
        schedule.hurryNames();
        assertThat(schedule.due(1)).containsExactly(new Question.NameOf(address(3)));
    }

    @Test
    void denialMakesQuestionForAddressesDue() {
        webWithOneTask();
        assertThat(schedule.due(0)).hasSize(2);
        assertThat(schedule.due(SECOND)).containsExactly(new Question.TasksOf(WEB));
        catalogue.tasks(WEB, List.of(), SECOND, SECOND + 1);
        assertThat(schedule.due(SECOND + 1)).contains(new Question.AddressesOf(WEB));
    }

    /** Asks as the plugin does, of an engine that does not have the service any more. Returns how many questions it gets. */
    private long questionsToEngineWithoutService(long from, long to, boolean answering) {
        long asked = 0;
        for (long now = from; now < to; now = Math.max(now + 1, schedule.nextDue(now))) {
            for (Question question : schedule.due(now)) {
                asked++;
                if (answering && question instanceof Question.TasksOf it) {
                    catalogue.tasks(it.service(), List.of(), now, now);
                }
            }
        }
        return asked;
    }

    /** As of a node that is gone, whose endpoints the cluster keeps for ten minutes. */
    @Test
    void serviceThatEngineDoesNotHaveIsAskedForEverMoreRarely() {
        webWithOneTask();
        assertThat(questionsToEngineWithoutService(0, 20 * SECOND, true)).isGreaterThan(20);
        assertThat(questionsToEngineWithoutService(20 * SECOND, 600 * SECOND, true)).isLessThan(60);
        assertThat(catalogue.backends()).as("denial alone changes nothing").containsEntry(VIP, List.of(address(2)));
    }

    @Test
    void serviceThatNobodyAnswersForIsAskedForEverMoreRarely() {
        webWithOneTask();
        assertThat(questionsToEngineWithoutService(0, 600 * SECOND, false)).isLessThan(100);
    }

    @Test
    void rememberedServiceThatIsGoneIsAskedForEverMoreRarely() {
        Catalogue later = new Catalogue(List.of(Cidr.parse("10.0.1.0/24")), List.of(), List.of(WEB), 0);
        later.setPartial(true);
        QuestionSchedule questions = new QuestionSchedule(later);
        long asked = 0;
        for (long now = 0; now < 600 * SECOND; now = Math.max(now + 1, questions.nextDue(now))) {
            asked += questions.due(now).size();
        }
        assertThat(asked).isLessThan(100);
    }

    @Test
    void newTaskOfServiceThatWasGoneMakesQuestionsDueWithinSecond() {
        webWithOneTask();
        questionsToEngineWithoutService(0, 500 * SECOND, true);
        catalogue.add(address(3), "b", 500 * SECOND);
        schedule.hurry();
        assertThat(schedule.due(500 * SECOND)).contains(new Question.NameOf(address(3)), new Question.TasksOf(WEB));
        catalogue.tasks(WEB, List.of(), 500 * SECOND, 500 * SECOND);
        long named = 501 * SECOND;
        catalogue.name(address(3), task("web", 2), named);
        List<Question> due = new ArrayList<>();
        for (long now = named; now <= named + SECOND; now = Math.max(now + 1, schedule.nextDue(now))) {
            due.addAll(schedule.due(now));
        }
        assertThat(due).contains(new Question.AddressesOf(WEB), new Question.TasksOf(WEB));
    }

    @Test
    void serviceThatEngineHasAgainIsAskedForEverySecond() {
        webWithOneTask();
        questionsToEngineWithoutService(0, 500 * SECOND, true);
        catalogue.addresses(WEB, List.of(VIP), 500 * SECOND);
        catalogue.tasks(WEB, List.of(address(2)), 500 * SECOND, 500 * SECOND);
        schedule.hurry();
        assertThat(schedule.due(500 * SECOND)).contains(new Question.TasksOf(WEB));
        assertThat(schedule.due(501 * SECOND)).containsExactly(new Question.TasksOf(WEB));
    }
}
