package io.vxseal.services;

import static io.vxseal.services.KnownNetwork.SECOND;
import static io.vxseal.services.KnownNetwork.VIP;
import static io.vxseal.services.KnownNetwork.WEB;
import static io.vxseal.services.KnownNetwork.address;
import static io.vxseal.services.KnownNetwork.task;
import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.address.Cidr;
import io.vxseal.services.Question.ServiceName;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

class CatalogueTest {
    private static final ServiceName DB = new ServiceName("db", "my.net");

    private final Catalogue catalogue = KnownNetwork.catalogue();
    private final QuestionSchedule schedule = new QuestionSchedule(catalogue);

    /** Adds a service with a VIP and two tasks. */
    private void webWithTwoTasks() {
        catalogue.add(address(2), "a", 0);
        catalogue.add(address(3), "b", 0);
        catalogue.name(address(2), task("web", 1), 0);
        catalogue.addresses(WEB, List.of(VIP), 0);
        catalogue.tasks(WEB, List.of(address(2), address(3)), 0, 0);
    }

    @Test
    void readsServiceAndNetworkFromTaskNameOnly() {
        assertThat(ServiceName.ofEndpoint(task("web", 1))).contains(WEB);
        assertThat(ServiceName.ofEndpoint("web.my.net")).isEmpty();
        assertThat(ServiceName.ofEndpoint("a.b.c.d")).isEmpty();
    }

    @Test
    void servesVipByTasksFromOneTaskNameOn() {
        webWithTwoTasks();
        assertThat(catalogue.backends()).isEqualTo(Map.of(VIP, List.of(address(2), address(3))));
    }

    @Test
    void drainingTaskGetsNoNewConnections() {
        webWithTwoTasks();
        catalogue.tasks(WEB, List.of(address(3)), SECOND, SECOND);
        assertThat(catalogue.backends()).isEqualTo(Map.of(VIP, List.of(address(3))));
        assertThat(catalogue.entries()).containsExactly(
                new Catalogue.Entry("web", List.of(VIP), List.of(address(3)), List.of(address(2))));
    }

    @Test
    void leavingTaskIsGoneAtOnceWhateverEngineSays() {
        webWithTwoTasks();
        catalogue.remove(address(3), SECOND);
        catalogue.tasks(WEB, List.of(address(2), address(3)), SECOND, SECOND);
        assertThat(catalogue.backends()).isEqualTo(Map.of(VIP, List.of(address(2))));
    }

    @Test
    void lastTaskDrainsOnceEngineConfirmsService() {
        webWithTwoTasks();
        catalogue.tasks(WEB, List.of(), SECOND, SECOND);
        assertThat(catalogue.backends().get(VIP)).hasSize(2);
        assertThat(schedule.due(SECOND)).contains(new Question.AddressesOf(WEB));
        catalogue.addresses(WEB, List.of(VIP), SECOND);
        assertThat(catalogue.backends()).isEqualTo(Map.of(VIP, List.of()));
    }

    @Test
    void lateDenialDoesNotCount() {
        webWithTwoTasks();
        catalogue.tasks(WEB, List.of(address(3)), 3 * SECOND, 3 * SECOND);
        catalogue.tasks(WEB, List.of(), 2 * SECOND, 4 * SECOND);
        catalogue.addresses(WEB, List.of(VIP), 4 * SECOND);
        assertThat(catalogue.backends()).isEqualTo(Map.of(VIP, List.of(address(3))));
    }

    @Test
    void serviceWithoutEndpointsRefusesUnaskedForWhile() {
        webWithTwoTasks();
        catalogue.remove(address(2), SECOND);
        catalogue.remove(address(3), SECOND);
        assertThat(catalogue.backends()).isEqualTo(Map.of(VIP, List.of()));
        assertThat(schedule.due(60 * SECOND)).isEmpty();
        catalogue.forget(300 * SECOND);
        assertThat(catalogue.backends()).hasSize(1);
        catalogue.forget(700 * SECOND);
        assertThat(catalogue.backends()).isEmpty();
    }

    /** The engine gives addresses in turn, and comes back to those of services that were removed. */
    @Test
    void newServiceIsServedAtVipOfOneThatIsGone() {
        KnownNetwork.serve(catalogue, DB, List.of(VIP), 2);
        catalogue.remove(address(2), SECOND);
        catalogue.add(address(3), "b", 20 * SECOND);
        catalogue.name(address(3), task("web", 1), 20 * SECOND);
        catalogue.addresses(WEB, List.of(VIP, address(10)), 20 * SECOND);
        catalogue.tasks(WEB, List.of(address(3)), 20 * SECOND, 20 * SECOND);
        catalogue.forget(20 * SECOND);
        assertThat(catalogue.backends()).isEqualTo(Map.of(VIP, List.of(), address(10), List.of(address(3))));
        assertThat(catalogue.forget(32 * SECOND)).isTrue();
        assertThat(catalogue.backends()).isEqualTo(Map.of(VIP, List.of(address(3)), address(10), List.of(address(3))));
        assertThat(catalogue.forget(33 * SECOND)).isFalse();
    }

    /** Its tasks may take long to stop, and their endpoints are there until then. */
    @Test
    void newServiceIsServedAtVipOfOneWhoseTasksStillStop() {
        KnownNetwork.serve(catalogue, DB, List.of(VIP), 2);
        KnownNetwork.serve(catalogue, WEB, List.of(VIP), 3);
        assertThat(catalogue.backends()).isEqualTo(Map.of(VIP, List.of(address(2))));
        catalogue.tasks(DB, List.of(), SECOND, SECOND);
        catalogue.tasks(WEB, List.of(address(3)), 31 * SECOND, 31 * SECOND);
        catalogue.forget(31 * SECOND);
        assertThat(catalogue.backends()).isEqualTo(Map.of(VIP, List.of(address(3))));
    }

    @Test
    void serviceWithoutVipHasNone() {
        KnownNetwork.serve(catalogue, WEB, List.of(address(2)), 2);
        assertThat(catalogue.backends()).isEmpty();
        catalogue.remove(address(2), SECOND);
        catalogue.addresses(WEB, List.of(address(2)), SECOND);
        assertThat(catalogue.backends()).isEmpty();
    }

    /** Its name has the tasks' addresses, and still the VIP: moby, issue 38575. */
    @Test
    void keptVipOfServiceThatBecameDnsrrIsServedByItsTasks() {
        webWithTwoTasks();
        catalogue.addresses(WEB, List.of(VIP, address(2), address(3)), SECOND);
        assertThat(catalogue.backends()).isEqualTo(Map.of(VIP, List.of(address(2), address(3))));
    }

    @Test
    void serviceWhoseNameIsAliasOfAnotherHasItsOwnVipAndTasks() {
        webWithTwoTasks();
        catalogue.add(address(4), "c", 0);
        catalogue.name(address(4), task("db", 1), 0);
        catalogue.addresses(DB, List.of(address(10), VIP), 0);
        catalogue.tasks(DB, List.of(address(2), address(3), address(4)), 0, 0);
        assertThat(catalogue.backends()).isEqualTo(
                Map.of(VIP, List.of(address(2), address(3)), address(10), List.of(address(4))));
        catalogue.remove(address(4), SECOND);
        catalogue.tasks(DB, List.of(address(2), address(3)), SECOND, SECOND);
        assertThat(catalogue.backends()).isEqualTo(Map.of(VIP, List.of(address(2), address(3)), address(10), List.of()));
    }

    /** Its alias, which another service has for a name, may have its task before its own name has. */
    @Test
    void firstTaskOfServiceWithAliasIsItsOwnOnceItIsNamed() {
        KnownNetwork.serve(catalogue, DB, List.of(address(10)), 4);
        catalogue.add(address(2), "a", 0);
        catalogue.tasks(DB, List.of(address(2), address(4)), SECOND, SECOND);
        assertThat(schedule.due(SECOND)).contains(new Question.NameOf(address(2)));
        catalogue.name(address(2), task("web", 1), SECOND);
        catalogue.addresses(WEB, List.of(VIP), SECOND);
        catalogue.tasks(DB, List.of(address(2), address(4)), 2 * SECOND, 2 * SECOND);
        assertThat(catalogue.backends()).isEqualTo(Map.of(VIP, List.of(), address(10), List.of(address(4))));
        catalogue.tasks(WEB, List.of(address(2)), 2 * SECOND, 2 * SECOND);
        assertThat(catalogue.backends()).isEqualTo(Map.of(VIP, List.of(address(2)), address(10), List.of(address(4))));
        assertThat(catalogue.unnamed(2 * SECOND)).isEmpty();
    }

    @Test
    void reusedAddressIsNoTaskOfServiceThatHadIt() {
        webWithTwoTasks();
        catalogue.remove(address(2), SECOND);
        catalogue.remove(address(3), SECOND);
        catalogue.add(address(3), "other", 60 * SECOND);
        catalogue.name(address(3), "box.my.net", 60 * SECOND);
        assertThat(catalogue.backends()).isEqualTo(Map.of(VIP, List.of()));
    }

    /** As a provider's name server has for each private address. */
    @Test
    void nameOfServerOutsideIsNoAnswer() {
        catalogue.add(address(2), "a", 0);
        assertThat(schedule.due(0)).containsExactly(new Question.NameOf(address(2)));
        catalogue.name(address(2), "ip-10-0-1-2.ec2.internal", 0);
        assertThat(schedule.due(40 * SECOND)).containsExactly(new Question.NameOf(address(2)));
        catalogue.name(address(2), task("web", 1), 40 * SECOND);
        assertThat(schedule.due(40 * SECOND)).containsExactlyInAnyOrder(new Question.AddressesOf(WEB), new Question.TasksOf(WEB));
    }

    @Test
    void containerThatIsNoTaskIsNotAskedForLong() {
        webWithTwoTasks();
        catalogue.name(address(3), task("web", 2), 0);
        catalogue.add(address(5), "c", 0);
        catalogue.name(address(5), "box.my.net", 0);
        assertThat(schedule.due(40 * SECOND)).doesNotContain(new Question.NameOf(address(5)));
    }

    @Test
    void addressesOutsideOfNetworkAreNoAnswer() {
        webWithTwoTasks();
        catalogue.addresses(WEB, List.of(InetAddress.ofLiteral("192.0.2.1")), SECOND);
        catalogue.addresses(WEB, List.of(address(1)), SECOND);
        assertThat(catalogue.backends().keySet()).doesNotContain(address(1), InetAddress.ofLiteral("192.0.2.1"));
    }

    @Test
    void rememberedServiceIsServedBeforeEndpointsAreKnown() {
        Catalogue later = new Catalogue(List.of(Cidr.parse("10.0.1.0/24")), List.of(), List.of(WEB), 0);
        later.setPartial(true);
        assertThat(new QuestionSchedule(later).due(0)).containsExactlyInAnyOrder(new Question.AddressesOf(WEB), new Question.TasksOf(WEB));
        assertThat(later.isConfirmed(SECOND)).isFalse();
        later.addresses(WEB, List.of(VIP), SECOND);
        later.tasks(WEB, List.of(address(2)), SECOND, SECOND);
        assertThat(later.isConfirmed(SECOND)).isTrue();
        assertThat(later.backends()).isEqualTo(Map.of(VIP, List.of(address(2))));
        later.setPartial(false);
        assertThat(later.backends()).isEqualTo(Map.of(VIP, List.of()));
    }

    /** Random endpoints, names and answers, true and false ones. */
    @Property(seed = "20261126", tries = 300)
    void endpointsAreNeverVipsAndOnlyTheyAreBackends(@ForAll long seed) {
        Random random = new Random(seed);
        Catalogue some = new Catalogue(List.of(Cidr.parse("10.0.1.0/24")), List.of(address(1)), List.of(), 0);
        QuestionSchedule questions = new QuestionSchedule(some);
        Map<InetAddress, Integer> present = new HashMap<>();
        for (int step = 1; step < 200; step++) {
            long now = step * SECOND / 4;
            InetAddress one = address(random.nextInt(1, 12));
            ServiceName service = random.nextBoolean() ? WEB : DB;
            switch (random.nextInt(6)) {
                case 0 -> {
                    present.put(one, step);
                    some.add(one, "e" + step, now);
                }
                case 1 -> {
                    present.remove(one);
                    some.remove(one, now);
                }
                case 2 -> some.name(one, random.nextInt(4) == 0 ? "alone.my.net" : task(service.service(), step), now);
                case 3 -> some.addresses(service, addresses(random), now);
                case 4 -> some.tasks(service, addresses(random), now, now);
                default -> questions.due(now);
            }
            var backends = some.backends();
            assertThat(backends.keySet()).doesNotContain(address(1)).noneMatch(present::containsKey);
            assertThat(backends.values()).allSatisfy(tasks -> assertThat(tasks).isSubsetOf(present.keySet()));
            assertThat(some.backends()).isEqualTo(backends);
        }
    }

    private static List<InetAddress> addresses(Random random) {
        Set<InetAddress> some = new HashSet<>();
        for (int n = random.nextInt(4); n > 0; n--) {
            some.add(address(random.nextInt(1, 12)));
        }
        return new ArrayList<>(some);
    }

    @Property(seed = "20261126", tries = 100)
    void silenceChangesNothing(@ForAll long seed) {
        webWithTwoTasksAgain();
        var before = catalogue.backends();
        Random random = new Random(seed);
        long now = 0;
        for (int step = 0; step < 100; step++) {
            now += random.nextLong(SECOND);
            schedule.due(now);
            catalogue.forget(now);
            if (random.nextBoolean()) {
                schedule.hurry();
            }
        }
        assertThat(catalogue.backends()).isEqualTo(before);
    }

    private void webWithTwoTasksAgain() {
        webWithTwoTasks();
        assertThat(catalogue.backends()).hasSize(1);
    }
}
