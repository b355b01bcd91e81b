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
 * Docker hosts on a wire, which run until it is closed or the JVM ends. Only one laboratory runs at a time
 * on a machine; a second one waits.
 *
 * <p>The hosts are not booted each time: engines joined in a swarm, which all scenarios share, are
 * saved once and restored in seconds. For each build of the product, so is that swarm with the product installed.
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
    private Image image;
    private Path payload;
    private boolean shut;

    /**
     * The parts of a laboratory.
     *
     * @param suite the Debian suite of the guests: trixie, bookworm or forky
     * @param guests number of guests
     * @param product the product that they find under /payload
     * @param installed whether it is already installed on all of them
     */
    public record Plan(String suite, int guests, Optional<Product> product, boolean installed) {

        public static Plan of(int guests) {
            return of("trixie", guests);
        }

        public static Plan of(String suite, int guests) {
            return new Plan(suite, guests, Optional.empty(), false);
        }

        public Plan with(Product built) {
            return new Plan(suite, guests, Optional.of(built.requireBuilt()), false);
        }

        public Plan withInstalled(Product built) {
            return new Plan(suite, guests, Optional.of(built.requireBuilt()), true);
        }
    }

    private Lab(FileChannel lock, Path folder, Consumer<String> progress) {
        this.lock = lock;
        this.folder = folder;
        this.progress = progress;
        this.wire = new Wire(folder);
    }

    /** Starts the hosts: engines running, joined in a swarm, the image {@code busybox} on each. */
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
        image = Image.of(home(), plan.suite());
        Network.make(plan.guests());
        Path disk = folder.resolve("payload.img");
        Snapshot swarm = Snapshot.ofSwarm(cache, image, plan);
        if (plan.installed()) {
            Product product = plan.product().orElseThrow();
            Snapshot installed = swarm.with(product);
            if (!installed.usable()) {
                install(plan, image, swarm, product, disk, installed);
            }
            wire.capture("run");
            payload = installed.payload();
            wake(plan, image, payload, installed);
            Product.awaitTogether(guests());
        } else {
            form(plan, image, disk, swarm);
            plan.product().ifPresentOrElse(product -> Payload.withTests(product, disk), () -> Payload.empty(disk));
            wire.capture("run");
            payload = disk;
            wake(plan, image, payload, swarm);
            plan.product().ifPresent(product -> Together.each(guests, Payload::mount));
        }
        progress.accept("swarm of " + plan.guests() + " ready");
    }

    /** Continues from a saved swarm, at the present time. */
    private void wake(Plan plan, Image image, Path disk, Snapshot snapshot) {
        progress.accept("swarm of " + plan.guests() + " restored from " + snapshot.folder().getFileName());
        add(Together.map(places(plan), place -> {
            Disk.copy(snapshot.disk(place.number()), Disk.of(place));
            return guest(image, place, disk, Machine.restore(image, place, disk, snapshot.state(place.number())));
        }));
        guests.forEach(guest -> guest.machine().resume());
        Together.each(guests, guest -> {
            guest.awaitAgent(WAKE);
            guest.sh("date -u -s @" + Instant.now().getEpochSecond());
        });
        swarm().awaitReady();
    }

    private static Guest guest(Image image, Machine.Place place, Path payload, Machine machine) {
        return new Guest(place, machine, () -> Machine.boot(image, place, payload));
    }

    /** Boots the hosts, forms the swarm, saves it and ends; unless it is saved already. */
    private void form(Plan plan, Image image, Path disk, Snapshot snapshot) {
        if (snapshot.usable()) {
            return;
        }
        Payload.empty(disk);
        make(() -> {
            progress.accept("no saved swarm yet: booting " + plan.guests() + " hosts, about two minutes");
            add(Together.map(places(plan), place -> {
                Disk.blank(place);
                return guest(image, place, disk, Machine.boot(image, place, disk));
            }));
            Together.each(guests, guest -> guest.awaitAgent(BOOT));
            progress.accept("hosts are up; starting their engines");
            swarm().form();
            progress.accept("saving the swarm");
            snapshot.take(guests);
        });
    }

    /** Continues from the swarm, installs the product on all hosts, saves the result and ends. */
    private void install(Plan plan, Image image, Snapshot swarm, Product product, Path disk, Snapshot snapshot) {
        form(plan, image, disk, swarm);
        Payload.of(product, disk);
        make(() -> {
            wake(plan, image, disk, swarm);
            progress.accept("installing this build of the plugin, once: about two minutes");
            Together.each(guests, Payload::mount);
            Together.each(guests, Footprint::keep);
            Together.each(guests, guest -> install(product, guest));
            Product.awaitTogether(guests());
            progress.accept("saving the swarm with the plugin");
            snapshot.take(guests, disk);
        });
    }

    private static void install(Product product, Guest guest) {
        try {
            product.install(guest);
        } catch (LabException e) {
            // The engine gives a plugin 10 s to listen, and an emulated host may have to share its processors.
            product.install(guest);
        }
    }

    /** Does work that ends with saved states, and ends the machines. */
    private void make(Runnable work) {
        for (int attempt = 1; ; attempt++) {
            try {
                work.run();
                remove();
                return;
            } catch (LabException e) {
                // Emulated processors can crash a kernel (see Machine.crash); only that is retried.
                if (attempt == ATTEMPTS || guests.stream().allMatch(guest -> guest.crash().isEmpty())) {
                    throw e;
                }
                progress.accept(e.getMessage() + "; retrying");
                remove();
            }
        }
    }

    /** Boots another host, which joins the swarm as a worker, and installs the product there. */
    public Guest addGuest(Product product) {
        Machine.Place place = new Machine.Place(folder, guests().size() + 1);
        progress.accept("booting " + place.name() + " and installing the plugin there, about two minutes");
        Network.addTap(place.number());
        Disk.blank(place);
        Guest guest = guest(image, place, payload, Machine.boot(image, place, payload));
        add(List.of(guest));
        guest.awaitAgent(BOOT);
        swarm().admit(guest);
        Payload.mount(guest);
        install(product, guest);
        return guest;
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

    /** Returns the guest of that number, from 1; the first is the swarm's manager. */
    public Guest guest(int number) {
        return guests.get(number - 1);
    }

    public Swarm swarm() {
        return new Swarm(List.copyOf(guests));
    }

    public Wire wire() {
        return wire;
    }

    /** Keeps the evidence of a failure and returns its folder; prints the last log lines of plugins and engines. */
    public Path keep(String scenario) {
        Path kept = home().resolve("target/failures").resolve(scenario);
        Host.run("rm", "-rf", "--one-file-system", kept.toString());
        Evidence.gather(guests(), wire, kept);
        guests().forEach(guest -> progress.accept("last log lines of the plugin on " + guest + ":\n" + Evidence.lastWords(kept, guest)));
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
            throw new LabException("cannot release the laboratory's lock", e);
        }
    }

    /** Returns the folder of this project, found from the current folder. */
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
                Await.value("the end of the other laboratory, which holds " + file, TURN, () -> tryLock(channel));
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
