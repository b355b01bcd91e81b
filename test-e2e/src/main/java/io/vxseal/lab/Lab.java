package io.vxseal.lab;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.IntStream;

/**
 * Docker hosts on a wire, running until it is closed or the JVM ends. There is one laboratory at a time
 * on a machine; a second waits for the first.
 *
 * <p>The hosts are not booted each time: what every scenario has in common, engines joined in a swarm, is
 * saved once and restored in seconds.
 */
public final class Lab implements AutoCloseable {

    private static final Duration TURN = Duration.ofMinutes(40);
    private static final Duration BOOT = Duration.ofMinutes(2);
    private static final Duration WAKE = Duration.ofSeconds(60);
    private static final int ATTEMPTS = 3;

    private final FileChannel lock;
    private final Path folder;
    private final Consumer<String> progress;
    private final Thread atExit = new Thread(this::shut, "lab's end");
    private final Wire wire;
    private final List<Guest> guests = new ArrayList<>();
    private boolean shut;

    /**
     * What a laboratory is to consist of.
     *
     * @param suite the Debian suite of the guests: trixie, bookworm or forky
     * @param guests how many
     * @param product what they shall find under /payload
     */
    public record Plan(String suite, int guests, Optional<Product> product) {

        public static Plan of(int guests) {
            return new Plan("trixie", guests, Optional.empty());
        }

        public Plan with(Product built) {
            return new Plan(suite, guests, Optional.of(built.requireBuilt()));
        }
    }

    private Lab(FileChannel lock, Path folder, Consumer<String> progress) {
        this.lock = lock;
        this.folder = folder;
        this.progress = progress;
        this.wire = new Wire(folder);
    }

    /** Brings the hosts up: engines running, joined in a swarm, the image {@code busybox} on each. */
    public static Lab open(Plan plan, Consumer<String> progress) {
        Path cache = cache();
        FileChannel lock = turn(cache.resolve("lab.lock"), progress);
        Network.sweep();
        Lab lab = new Lab(lock, fresh(cache.resolve("run")), progress);
        Runtime.getRuntime().addShutdownHook(lab.atExit);
        try {
            lab.start(plan, cache);
            return lab;
        } catch (RuntimeException e) {
            Path kept = lab.keep("start");
            lab.close();
            throw new LabException(e.getMessage() + "\nevidence kept in " + kept, e);
        }
    }

    private void start(Plan plan, Path cache) {
        progress.accept("guest image of Debian " + plan.suite());
        Image image = Image.of(home(), plan.suite());
        Network.make(plan.guests());
        Path disk = folder.resolve("payload.img");
        Snapshot snapshot = Snapshot.of(cache, image, plan.suite(), plan.guests());
        if (!snapshot.usable()) {
            Payload.empty(disk);
            form(plan, image, disk, snapshot);
        }
        plan.product().ifPresentOrElse(product -> Payload.of(product, disk), () -> Payload.empty(disk));
        wire.capture("run");
        progress.accept("swarm of " + plan.guests() + " restored from " + snapshot.folder().getFileName());
        add(Together.map(places(plan), place -> new Guest(place, Machine.restore(image, place, disk, snapshot.state(place.number())))));
        guests.forEach(guest -> guest.machine().resume());
        Together.each(guests, guest -> {
            guest.awaitAgent(WAKE);
            guest.sh("date -u -s @" + Instant.now().getEpochSecond());
        });
        swarm().awaitReady();
        if (plan.product().isPresent()) {
            Together.each(guests, Payload::mount);
        }
        progress.accept("swarm of " + plan.guests() + " ready");
    }

    /** Boots the hosts, makes the swarm, saves it and ends. */
    private void form(Plan plan, Image image, Path disk, Snapshot snapshot) {
        for (int attempt = 1; ; attempt++) {
            progress.accept("no saved swarm yet: booting " + plan.guests() + " hosts, about two minutes");
            try {
                add(Together.map(places(plan), place -> new Guest(place, Machine.boot(image, place, disk))));
                Together.each(guests, guest -> guest.awaitAgent(BOOT));
                progress.accept("hosts are up; starting their engines");
                swarm().form();
                progress.accept("saving the swarm");
                snapshot.take(guests);
                remove();
                return;
            } catch (LabException e) {
                // Emulated processors can crash a kernel that boots (see Machine.crash); only that is tried again.
                if (attempt == ATTEMPTS || guests.stream().allMatch(guest -> guest.crash().isEmpty())) {
                    throw e;
                }
                progress.accept(e.getMessage() + "; once more");
                remove();
            }
        }
    }

    private List<Machine.Place> places(Plan plan) {
        return IntStream.rangeClosed(1, plan.guests()).mapToObj(n -> new Machine.Place(folder, n)).toList();
    }

    private synchronized void add(List<Guest> more) {
        guests.addAll(more);
    }

    private synchronized void remove() {
        guests.forEach(Guest::close);
        guests.clear();
    }

    public List<Guest> guests() {
        return List.copyOf(guests);
    }

    /** The guest of that number, from 1: the first is the swarm's manager. */
    public Guest guest(int number) {
        return guests.get(number - 1);
    }

    public Swarm swarm() {
        return new Swarm(List.copyOf(guests));
    }

    public Wire wire() {
        return wire;
    }

    /** Keeps what tells why something failed, and returns where. */
    public Path keep(String scenario) {
        Path kept = home().resolve("target/failures").resolve(scenario);
        Host.run("rm", "-rf", "--one-file-system", kept.toString());
        Evidence.gather(guests(), wire, kept);
        return kept;
    }

    @Override
    public void close() {
        shut();
        Runtime.getRuntime().removeShutdownHook(atExit);
    }

    private synchronized void shut() {
        if (shut) {
            return;
        }
        shut = true;
        wire.close();
        guests.forEach(Guest::close);
        Network.sweep();
        try {
            lock.close();
        } catch (IOException e) {
            throw new LabException("cannot let go of the laboratory's lock", e);
        }
    }

    /** The folder of this project, found from the folder the program was started in. */
    public static Path home() {
        Path start = Path.of("").toAbsolutePath();
        for (Path at = start; at != null; at = at.getParent()) {
            for (Path home : List.of(at, at.resolve("test-e2e"))) {
                if (Files.isExecutable(home.resolve("guest/build"))) {
                    return home;
                }
            }
        }
        throw new LabException("no test-e2e/guest/build in or above " + start);
    }

    private static Path cache() {
        Path cache = Path.of(Optional.ofNullable(System.getenv("VXSEAL_LAB_CACHE")).orElse("/var/cache/vxseal-lab"));
        try {
            return Files.createDirectories(cache);
        } catch (IOException e) {
            throw new LabException("cannot make the cache " + cache + " (is this root?): " + e.getMessage(), e);
        }
    }

    private static Path fresh(Path folder) {
        try {
            Host.run("rm", "-rf", "--one-file-system", folder.toString());
            return Files.createDirectories(folder);
        } catch (IOException e) {
            throw new LabException("cannot make " + folder + ": " + e.getMessage(), e);
        }
    }

    private static FileChannel turn(Path file, Consumer<String> progress) {
        try {
            FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            if (channel.tryLock() == null) {
                progress.accept("another laboratory is running; waiting for its end");
                Await.value("the other laboratory, which holds " + file, TURN, () -> tryLock(channel));
            }
            return channel;
        } catch (IOException e) {
            throw new LabException("cannot lock " + file + ": " + e.getMessage(), e);
        }
    }

    private static Optional<FileLock> tryLock(FileChannel channel) {
        try {
            return Optional.ofNullable(channel.tryLock());
        } catch (IOException e) {
            throw new LabException("cannot take the laboratory's lock: " + e.getMessage(), e);
        }
    }
}
