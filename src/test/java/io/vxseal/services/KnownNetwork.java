package io.vxseal.services;

import io.vxseal.address.Cidr;
import io.vxseal.services.Question.ServiceName;
import java.net.InetAddress;
import java.time.Duration;
import java.util.List;

/** A network "my.net" with a gateway, its catalogue, and names and addresses in it. */
final class KnownNetwork {
    static final long SECOND = Duration.ofSeconds(1).toNanos();
    static final ServiceName WEB = new ServiceName("web", "my.net");
    static final InetAddress VIP = address(9);

    private KnownNetwork() {}

    static Catalogue catalogue() {
        return new Catalogue(List.of(Cidr.parse("10.0.1.0/24")), List.of(address(1)), List.of(), 0);
    }

    /** Adds a service with one task, whose name resolves to these addresses. */
    static void serve(Catalogue catalogue, ServiceName service, List<InetAddress> addresses, int task) {
        catalogue.add(address(task), "endpoint " + task, 0);
        catalogue.name(address(task), task(service.service(), 1), 0);
        catalogue.addresses(service, addresses, 0);
        catalogue.tasks(service, List.of(address(task)), 0, 0);
    }

    static InetAddress address(int last) {
        return InetAddress.ofLiteral("10.0.1." + last);
    }

    /** Returns the name of a task's endpoint. */
    static String task(String service, int slot) {
        return "%s.%d.%s.my.net".formatted(service, slot, "abcdefghijklmnopqrstuvwxy");
    }
}
