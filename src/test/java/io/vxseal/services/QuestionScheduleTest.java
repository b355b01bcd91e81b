package io.vxseal.services;

import static io.vxseal.services.KnownNetwork.SECOND;
import static io.vxseal.services.KnownNetwork.VIP;
import static io.vxseal.services.KnownNetwork.WEB;
import static io.vxseal.services.KnownNetwork.address;
import static io.vxseal.services.KnownNetwork.task;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class QuestionScheduleTest {
    private final Catalogue catalogue = KnownNetwork.catalogue();
    private final QuestionSchedule schedule = new QuestionSchedule(catalogue);

    /** Adds a service with a VIP and a task. */
    private void webWithOneTask() {
        catalogue.add(address(2), "a", 0);
        catalogue.name(address(2), task("web", 1), 0);
        catalogue.addresses(WEB, List.of(VIP), 0);
        catalogue.tasks(WEB, List.of(address(2)), 0, 0);
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
}
