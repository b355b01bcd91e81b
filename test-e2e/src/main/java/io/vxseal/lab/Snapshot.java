package io.vxseal.lab;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The saved states of all machines of a swarm, taken while all were stopped, so that they continue together;
 * their disks; and the payload disk, if they have read it. Its name covers everything that it depends on: the
 * image, the hardware, the emulator, and the product if it is installed.
 *
 * @param life how long the states are usable
 */
record Snapshot(Path folder, Duration life) {

    /** Swarm certificates last 90 days; guests that continue get the present time. */
    private static final Duration SWARM_LIFE = Duration.ofDays(30);

    /** Older than 12 h, the plugin's keys would be replaced as soon as the guests get the present time. */
    private static final Duration INSTALLED_LIFE = Duration.ofHours(10);

    /** Snapshots kept of one family: several trees, each with its own build, may share a cache. */
    private static final int KEPT = 4;

    /** Returns the snapshot of engines joined in a swarm, with a payload disk that no guest has read. */
    static Snapshot ofSwarm(Path cache, Image image, Lab.Plan plan) {
        String emulator = Host.run(Machine.qemu(), "--version").lines().findFirst().orElseThrow();
        String parts = String.join("\n", image.key(), Machine.HARDWARE.toString(), Machine.KERNEL_ARGUMENTS, emulator);
        return new Snapshot(cache.resolve("swarm-%s-%d-%s".formatted(plan.suite(), plan.guests(), hash(parts))), SWARM_LIFE);
    }

    /** Returns the snapshot of that swarm with the product installed. */
    Snapshot with(Product product) {
        String swarm = folder.getFileName().toString();
        String name = swarm.replaceFirst("^swarm", "installed").replaceFirst("[^-]+$", hash(swarm + product.digest()));
        return new Snapshot(folder.resolveSibling(name), INSTALLED_LIFE);
    }

    boolean usable() {
        try {
            return Files.isDirectory(folder)
                    && Files.getLastModifiedTime(folder).toInstant().isAfter(Instant.now().minus(life));
        } catch (IOException e) {
            return false;
        }
    }

    Path state(int guest) {
        return folder.resolve("node" + guest + ".state");
    }

    Path disk(int guest) {
        return folder.resolve("node" + guest + ".disk");
    }

    /** Returns the payload disk that the machines have read; only with the product installed. */
    Path payload() {
        return folder.resolve("payload.img");
    }

    /** Saves the guests' machines, which stay stopped afterwards. */
    void take(List<Guest> guests) {
        take(guests, making -> { });
    }

    /** Saves them together with the disk that they have read, because guests have cached parts of it. */
    void take(List<Guest> guests, Path disk) {
        take(guests, making -> Disk.copy(disk, making.payload()));
    }

    private void take(List<Guest> guests, Consumer<Snapshot> more) {
        try {
            makeRoom();
            Snapshot making = new Snapshot(Files.createDirectories(folder.resolveSibling(folder.getFileName() + ".making")), life);
            guests.forEach(guest -> guest.machine().pause());
            Together.each(guests, guest -> {
                guest.machine().saveTo(making.state(guest.number()));
                Disk.copy(guest.disk(), making.disk(guest.number()));
            });
            more.accept(making);
            Files.move(making.folder, folder, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw new LabException("cannot keep the swarm's state in " + folder + ": " + e.getMessage(), e);
        }
    }

    /** Removes a snapshot of the same name, unfinished ones, and all but the youngest of the family. */
    private void makeRoom() throws IOException {
        String name = folder.getFileName().toString();
        String family = name.substring(0, name.lastIndexOf('-') + 1);
        try (Stream<Path> all = Files.list(folder.getParent())) {
            Map<Boolean, List<Path>> worthKeeping = all.filter(path -> path.getFileName().toString().startsWith(family))
                    .sorted(Comparator.comparingLong((Path path) -> path.toFile().lastModified()).reversed())
                    .collect(Collectors.partitioningBy(path ->
                            !path.equals(folder) && !path.toString().endsWith(".making") && new Snapshot(path, life).usable()));
            worthKeeping.get(false).forEach(Snapshot::remove);
            worthKeeping.get(true).stream().skip(KEPT - 1).forEach(Snapshot::remove);
        }
    }

    private static void remove(Path folder) {
        Host.run("rm", "-rf", "--one-file-system", folder.toString());
    }

    private static String hash(String text) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(digest, 0, 6);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every JDK has SHA-256", e);
        }
    }
}
