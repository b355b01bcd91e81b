package io.vxseal.command;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import picocli.CommandLine;

/** Command that collects in one archive what a maintainer asks for when something does not work. */
@CommandLine.Command(
        name = "support",
        description = "Writes an archive (ZIP) with what is needed to find a fault: the plugin's status, metrics, events, settings and log, "
                + "the host's check, versions, firewall rules, IPsec states and policies without keys, links and routes. It has no keys "
                + "and no certificates of the plugin's, but addresses, names of services and all firewall rules, and the log of all plugins if the engine does not "
                + "say which one it is: look before you send it to anybody.")
final class Support implements Callable<Integer> {
    private static final DateTimeFormatter STAMP = DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'").withZone(ZoneOffset.UTC);
    private static final String JSON = "application/json";

    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec;

    @CommandLine.Mixin
    private RunningPlugin plugin;

    @CommandLine.Option(
            names = "--output",
            description = "The archive, which must not exist; vxseal-support-TIME.zip in this folder by default.",
            paramLabel = "FILE")
    private Optional<Path> output = Optional.empty();

    @CommandLine.Mixin
    private HostOptions host;

    @CommandLine.Option(names = "--help", usageHelp = true, description = "Prints this help.")
    @SuppressWarnings("UnusedVariable") // picocli reads the annotation
    private boolean help;

    @Override
    public Integer call() throws Exception {
        Path file = output.orElseGet(() -> Path.of("vxseal-support-%s.zip".formatted(STAMP.format(Instant.now()))));
        host.requireValid(spec.commandLine());
        requireNew(file);
        Installation installation = Installation.of(System.getenv(), host, plugin.socket());
        Map<String, String> files = new LinkedHashMap<>();
        files.put("status.txt", ask("/status", "text/plain"));
        files.put("status.json", ask("/status", JSON));
        files.put("metrics.txt", ask("/metrics", "text/plain"));
        files.put("events.json", ask("/events", JSON));
        files.put("check.json", check(installation));
        files.putAll(HostTools.describe(installation.folders().networks()));
        files.putAll(HostTools.describePlugin(installation.plugin()));
        write(file, files);
        spec.commandLine().getOut().println("wrote %s: look at what is in it before you send it to anybody".formatted(file));
        return 0;
    }

    private void requireNew(Path file) {
        String want;
        if (Files.exists(file)) {
            want = "it exists, name another file";
        } else if (!Files.isDirectory(file.toAbsolutePath().resolveSibling("."))) {
            want = "want a file in a folder that exists";
        } else {
            return;
        }
        throw new CommandLine.ParameterException(spec.commandLine(), "invalid --output \"%s\": %s".formatted(file, want));
    }

    /** Returns the findings as JSON, or why there are none. */
    private String check(Installation installation) {
        try {
            return Check.json(new Checks(plugin, installation).run(false)) + "\n";
        } catch (IOException | RuntimeException failure) {
            return failure + "\n";
        }
    }

    /** Returns the plugin's answer, or why there is none: a plugin that does not answer is a reason to ask for support. */
    private String ask(String path, String accept) {
        try {
            return plugin.ask("GET", path, accept);
        } catch (IOException failure) {
            return failure.getMessage() + "\n";
        }
    }

    /** Writes the archive for its owner alone. */
    private static void write(Path file, Map<String, String> files) throws IOException {
        try (OutputStream out = Channels.newOutputStream(Files.newByteChannel(
                        file,
                        Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"))));
                ZipOutputStream zip = new ZipOutputStream(out, StandardCharsets.UTF_8)) {
            for (Map.Entry<String, String> each : files.entrySet()) {
                zip.putNextEntry(new ZipEntry(each.getKey()));
                zip.write(each.getValue().getBytes(StandardCharsets.UTF_8));
                zip.closeEntry();
            }
        }
    }
}
