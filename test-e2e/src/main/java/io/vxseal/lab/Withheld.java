package io.vxseal.lab;

import java.time.Duration;

/** A kernel module that is unloaded on a host, and blocked from loading until this is closed. */
public record Withheld(Guest guest, String module) implements AutoCloseable {

    /** Unloads it as soon as nothing uses it. */
    public static Withheld from(Guest guest, String module) {
        Withheld withheld = new Withheld(guest, module);
        // Blocked first: an unloaded module may be requested, and loaded again, at any moment.
        guest.sh("echo 'install %s /bin/false' >%s".formatted(module, withheld.ban()));
        Await.until("nothing on " + guest + " to use " + module, Duration.ofSeconds(30),
                () -> guest.run("[ ! -d /sys/module/%s ] || rmmod %s".formatted(module, module), Duration.ofSeconds(30)).ok());
        return withheld;
    }

    private String ban() {
        return "/etc/modprobe.d/withheld-" + module + ".conf";
    }

    @Override
    public void close() {
        guest.sh("rm " + ban() + "; modprobe " + module);
    }
}
