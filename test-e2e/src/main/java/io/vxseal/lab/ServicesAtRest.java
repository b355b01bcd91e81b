package io.vxseal.lab;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** The processor time that the plugin takes for services of which no task changes. */
final class ServicesAtRest {

    private static final int SERVICES = 50;
    /** Services that start at a time: an emulated host that is to start 25 containers at once starts none in five minutes. */
    private static final int STEP = 5;
    private static final Duration TIME = Duration.ofSeconds(60);
    /** The kernel's unit of a process's processor time, USER_HZ. */
    private static final int TICKS_PER_SECOND = 100;

    private final Lab lab;
    private final Consumer<String> progress;

    ServicesAtRest(Lab lab, Consumer<String> progress) {
        this.lab = lab;
        this.progress = progress;
    }

    /** Returns {@code processorPercent} of the first host's plugin with {@code services} of one task each, and without any. */
    ObjectNode measure() {
        Guest guest = lab.guest(1);
        double without = processorPercent(guest);
        // It stays: removing it takes minutes, and the hosts are given up afterwards.
        Stack stack = Stack.deploy(lab, "rest", file(STEP));
        for (int services = 2 * STEP; services <= SERVICES; services += STEP) {
            stack.extend(file(services));
            progress.accept("%d services run".formatted(services));
        }
        Await.until(SERVICES + " services in the status", Duration.ofMinutes(2), () ->
                Product.status(guest).filter(status -> status.path("services").size() == SERVICES).isPresent());
        double with = processorPercent(guest);
        progress.accept("%.2f %% of a processor with %d services, %.2f %% without".formatted(with, SERVICES, without));
        return new ObjectMapper().createObjectNode().put("services", SERVICES).put("processorPercent", with)
                .put("processorPercentWithout", without);
    }

    private static String file(int services) {
        return "version: \"3.8\"\nservices:\n" + IntStream.range(0, services).mapToObj(n -> """
                  s%d: {image: "busybox:latest", command: "%s", networks: [net], stop_grace_period: 1s}
                """.formatted(n, Swarm.IDLE)).collect(Collectors.joining())
                + "networks:\n  net: {driver: \"%s\", driver_opts: {encrypted: \"\"}}\n".formatted(Product.DRIVER);
    }

    private static double processorPercent(Guest guest) {
        String ticks = "awk '{ print $14 + $15 }' /proc/%s/stat".formatted(Product.process(guest).orElseThrow());
        long before = Long.parseLong(guest.sh(ticks));
        Await.pause(TIME);
        return (Long.parseLong(guest.sh(ticks)) - before) * 100.0 / TICKS_PER_SECOND / TIME.toSeconds();
    }
}
