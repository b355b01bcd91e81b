package io.vxseal.services;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.address.Cidr;
import io.vxseal.services.Question.ServiceName;
import java.net.InetAddress;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

class QuestionScheduleTest {
    private static final long SECOND = Duration.ofSeconds(1).toNanos();
    private static final ServiceName WEB = new ServiceName("web", "my.net");
    private static final InetAddress VIP = address(9);

    private final Catalogue catalogue = new Catalogue(
            List.of(Cidr.parse("10.0.1.0/24")), List.of(address(1)), List.of(), 0);
    private final QuestionSchedule schedule = new QuestionSchedule(catalogue);

    private static InetAddress address(int last) {
        return InetAddress.ofLiteral("10.0.1." + last);
    }

    private static String task(String service, int slot) {
        return "%s.%d.%s.my.net".formatted(service, slot, "abcdefghijklmnopqrstuvwxy");
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
        catalogue.add(address(2), "a", 0);
        catalogue.name(address(2), task("web", 1), 0);
        catalogue.addresses(WEB, List.of(VIP), 0);
        catalogue.tasks(WEB, List.of(address(2)), 0, 0);
        catalogue.add(address(3), "b", 0);
        assertThat(schedule.due(0)).hasSize(3);
        assertThat(schedule.due(1)).isEmpty();
        schedule.hurryNames();
        assertThat(schedule.due(1)).containsExactly(new Question.NameOf(address(3)));
    }

    @Test
    void denialMakesQuestionForAddressesDue() {
        catalogue.add(address(2), "a", 0);
        catalogue.name(address(2), task("web", 1), 0);
        catalogue.addresses(WEB, List.of(VIP), 0);
        catalogue.tasks(WEB, List.of(address(2)), 0, 0);
        assertThat(schedule.due(0)).hasSize(2);
        assertThat(schedule.due(SECOND)).containsExactly(new Question.TasksOf(WEB));
        catalogue.tasks(WEB, List.of(), SECOND, SECOND + 1);
        assertThat(schedule.due(SECOND + 1)).contains(new Question.AddressesOf(WEB));
    }
}
