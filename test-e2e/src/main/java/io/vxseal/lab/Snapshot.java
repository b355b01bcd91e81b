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
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;

/**
 * The saved states of a whole swarm's machines, taken while all stood still, so that they go on together
 * as if nothing had been. Named by all they depend on: the image, the hardware, the emulator.
 */
record Snapshot(Path folder) {

    /** Swarm certificates last 90 days; guests that go on get the present time. */
    private static final Duration LIFE = Duration.ofDays(30);

    static Snapshot of(Path cache, Image image, String suite, int guests) {
        String emulator = Host.run("qemu-system-x86_64", "--version").lines().findFirst().orElseThrow();
        String parts = String.join("\n", image.key(), Machine.HARDWARE.toString(), Machine.KERNEL_ARGUMENTS, emulator);
        return new Snapshot(cache.resolve("swarm-%s-%d-%s".formatted(suite, guests, hash(parts))));
    }

    boolean usable() {
        try {
            return Files.isDirectory(folder)
                    && Files.getLastModifiedTime(folder).toInstant().isAfter(Instant.now().minus(LIFE));
        } catch (IOException e) {
            return false;
        }
    }

    Path state(int guest) {
        return folder.resolve("node" + guest + ".state");
    }

    /** Saves the guests' machines, which stand still from then on. */
    void take(List<Guest> guests) {
        try {
            String prefix = folder.getFileName().toString();
            String family = prefix.substring(0, prefix.lastIndexOf('-') + 1);
            try (Stream<Path> old = Files.list(folder.getParent())) {
                old.filter(path -> path.getFileName().toString().startsWith(family)).forEach(Snapshot::remove);
            }
            Snapshot making = new Snapshot(Files.createDirectories(folder.resolveSibling(prefix + ".making")));
            guests.forEach(guest -> guest.machine().pause());
            Together.each(guests, guest -> guest.machine().saveTo(making.state(guest.number())));
            Files.move(making.folder, folder, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw new LabException("cannot keep the swarm's state in " + folder + ": " + e.getMessage(), e);
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
