package io.vxseal.lab;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * The hardware of a guest: a QEMU process and its monitor. It can be stopped and its whole state written to a
 * file, from which another machine of the same hardware can continue.
 *
 * <p>Two processors, because Docker runs into its own time limits with one; emulated, because a machine
 * that can build this project may not offer KVM.
 */
final class Machine implements AutoCloseable {

    /** The hardware, on which a saved state depends: part of its name in the cache. */
    static final List<String> HARDWARE = List.of(
            "-machine", "pc", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "3072",
            "-nodefaults", "-nographic", "-no-reboot");

    static final String KERNEL_ARGUMENTS = "console=ttyS0 quiet panic=-1 mitigations=off net.ifnames=0";

    /** Seconds. Longer than any run of a laboratory, the campaign's too; a machine that lost its laboratory ends by itself. */
    static final String LIFE = "10800";

    private static final Duration ANSWER = Duration.ofSeconds(20);
    private static final Duration STATE = Duration.ofMinutes(2);

    private final String name;
    private final Process process;
    private final Path console;
    private final JsonSocket monitor;

    private Machine(String name, Process process, Path console, JsonSocket monitor) {
        this.name = name;
        this.process = process;
        this.console = console;
        this.monitor = monitor;
    }

    /** The place of a machine's files, and its number. */
    record Place(Path folder, int number) {

        String name() {
            return "node" + number;
        }

        Path file(String kind) {
            return folder.resolve(name() + "." + kind);
        }

        String address() {
            return "10.55.0." + number;
        }

        String mac() {
            return "52:54:00:37:00:0" + number;
        }
    }

    static Machine boot(Image image, Place place, Path payload) {
        return start(image, place, payload, List.of());
    }

    /** Returns a machine that continues from a state of {@link #saveTo}, once {@link #resume} is called. */
    static Machine restore(Image image, Place place, Path payload, Path state) {
        Machine machine = start(image, place, payload, List.of("-S", "-incoming", "exec:cat '" + state + "'"));
        Await.until(machine.name + " to read " + state, STATE,
                () -> !machine.ask("query-status").path("status").asText().equals("inmigrate"));
        return machine;
    }

    /** Returns the path of the emulator. */
    static String qemu() {
        return Host.run(Lab.home().resolve("qemu").toString()).strip();
    }

    private static Machine start(Image image, Place place, Path payload, List<String> more) {
        Path console = place.file("console");
        Path monitor = place.file("monitor");
        List<String> words = new ArrayList<>(List.of("timeout", "-k", "5", LIFE, qemu()));
        words.addAll(HARDWARE);
        words.addAll(List.of(
                "-name", place.name(),
                "-kernel", image.kernel().toString(),
                "-initrd", image.initrd().toString(),
                "-append", KERNEL_ARGUMENTS + " lab.name=" + place.name() + " lab.address=" + place.address() + "/24",
                "-serial", "file:" + console,
                "-drive", "if=virtio,format=raw,readonly=on,file=" + image.root(),
                "-drive", "if=virtio,format=raw,readonly=on,file=" + payload,
                // It has to survive a guest's power cut, which is QEMU's end, but not this machine's.
                "-drive", "if=virtio,format=raw,cache=unsafe,file=" + Disk.of(place),
                "-device", "virtio-serial-pci",
                "-chardev", "socket,id=agent,server=on,wait=off,path=" + place.file("agent"),
                "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0",
                "-netdev", "tap,id=wire,script=no,downscript=no,ifname=" + Network.tap(place.number()),
                "-device", "virtio-net-pci,netdev=wire,romfile=,mac=" + place.mac(),
                "-qmp", "unix:" + monitor + ",server=on,wait=off"));
        words.addAll(more);
        Path log = place.file("qemu");
        try {
            Files.deleteIfExists(monitor);
            Files.deleteIfExists(place.file("agent"));
            Process process = new ProcessBuilder(Network.within(words))
                    .redirectInput(ProcessBuilder.Redirect.from(new File("/dev/null")))
                    .redirectErrorStream(true).redirectOutput(log.toFile()).start();
            try {
                JsonSocket socket = JsonSocket.connect(place.name() + "'s monitor", monitor, ANSWER);
                Machine machine = new Machine(place.name(), process, console, socket);
                machine.ask("qmp_capabilities");
                return machine;
            } catch (LabException e) {
                process.destroy();
                throw new LabException(place.name() + " did not start: " + Files.readString(log).strip(), e);
            }
        } catch (IOException e) {
            throw new LabException("cannot start QEMU for " + place.name() + ": " + e.getMessage(), e);
        }
    }

    void pause() {
        ask("stop");
    }

    void resume() {
        ask("cont");
    }

    /** Writes the state of a paused machine. */
    void saveTo(Path file) {
        ask("migrate-set-parameters", Map.of("max-bandwidth", 4L << 30));
        ask("migrate", Map.of("uri", "exec:cat >'" + file + "'"));
        Await.until(name + "'s state to be written to " + file, STATE, () -> {
            String status = ask("query-migrate").path("status").asText();
            if (status.equals("failed")) {
                throw new LabException(name + "'s state cannot be written to " + file);
            }
            return status.equals("completed");
        });
    }

    /**
     * Returns why the guest cannot answer, if its console says so. Emulated processors that patch their own kernel's
     * code can collide ("Oops: int3"): this is rare, and no fault of the program under test.
     */
    Optional<String> crash() {
        if (!process.isAlive()) {
            return Optional.of(name + "'s QEMU ended with status " + process.exitValue());
        }
        try {
            return Files.readString(console, StandardCharsets.ISO_8859_1).lines()
                    .filter(line -> line.contains("Oops") || line.contains("Kernel panic")).findFirst()
                    .map(line -> name + "'s kernel crashed: " + line.strip());
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    private JsonNode ask(String command) {
        return ask(command, Map.of());
    }

    private JsonNode ask(String command, Map<String, ?> arguments) {
        return monitor.ask(command, arguments, ANSWER)
                .orElseThrow(() -> new LabException(name + "'s monitor did not answer " + command));
    }

    @Override
    public void close() {
        monitor.close();
        process.destroy();
        try {
            if (!process.waitFor(8, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }
}
