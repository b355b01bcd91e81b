package io.vxseal.command;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Output of this host's own tools, without keys. Of a tool that is not installed, or fails, the reason is in its place. */
final class HostTools {
    private static final int PATIENCE_SECONDS = 30;

    /** Octets kept of one command's output: a host may have a hundred thousand rules. */
    private static final int MOST_OCTETS = 4 << 20;

    private static final int LONGEST_LINE = 64 << 10;

    private static final String LINE_END = "\n";

    /**
     * A hexadecimal number that is long enough to be a key, which {@code ip} does not print with {@code nokeys}. This is the second
     * barrier against keys in an archive, ours and those of other IPsec programs.
     */
    private static final Pattern KEY = Pattern.compile("0x\\p{XDigit}{16,}");

    private static final List<String> VERSIONS = List.of(
            "uname -a", "cat /etc/os-release", "docker version", "nft --version", "iptables --version", "ip -V", "lsmod");
    private static final List<String> RULES = List.of(
            "nft list ruleset", "iptables-save -c", "ip6tables-save -c", "iptables-legacy-save -c", "ip6tables-legacy-save -c");
    private static final List<String> XFRM = List.of(
            "ip -s xfrm state list nokeys", "ip -s xfrm policy", "cat /proc/net/xfrm_stat");
    private static final List<String> LINKS = List.of(
            "ip -d -s link", "ip address", "ip route show table all", "ip -6 route show table all", "ip rule", "ip neigh",
            "bridge fdb", "cat /proc/net/snmp");

    private static final String LIST_PLUGINS = "docker plugin ls --no-trunc";

    private HostTools() {}

    /**
     * Returns the tools' output, by the name of a file.
     *
     * @param pins folder in which the networks' namespaces are mounted
     */
    static Map<String, String> describe(Path pins) {
        Map<String, String> files = new LinkedHashMap<>();
        files.put("versions.txt", run(VERSIONS, List.of()));
        files.put("rules.txt", run(RULES, List.of()));
        files.put("xfrm.txt", withoutKeys(run(XFRM, List.of())));
        files.put("links.txt", run(LINKS, List.of()));
        if (Files.isReadable(pins)) {
            try (DirectoryStream<Path> networks = Files.newDirectoryStream(pins)) {
                for (Path pin : networks) {
                    List<String> inside = List.of("nsenter", "--net=" + pin);
                    files.put("networks/%s.txt".formatted(pin.getFileName()),
                            run(LINKS, inside) + run(List.of("nft list ruleset"), inside));
                }
            } catch (IOException failure) {
                files.put("networks.txt", failure.toString());
            }
        }
        return files;
    }

    /**
     * Returns the plugin's settings, and the lines about it in the engine's log.
     *
     * @param id the engine's; if it is not known, all plugins are listed, and the lines are those of all
     */
    static Map<String, String> describePlugin(Optional<String> id) {
        Map<String, String> files = new LinkedHashMap<>();
        files.put("plugin.txt", run(id.map(each -> List.of(LIST_PLUGINS, "docker plugin inspect " + each)).orElse(List.of(LIST_PLUGINS)),
                List.of()));
        // The newest lines first, so that those are kept if there are too many.
        files.put("log.txt", run("journalctl --no-pager --reverse -o short-iso -u docker -n 50000", List.of(),
                line -> isAbout(id, line)));
        return files;
    }

    /** Returns whether a line of the engine's log is about the plugin, by its id, or if that is not known about any plugin. */
    static boolean isAbout(Optional<String> id, String line) {
        return line.contains(id.orElse("plugin="));
    }

    static String withoutKeys(String text) {
        return KEY.matcher(text).replaceAll("0x(removed)");
    }

    private static String run(List<String> commands, List<String> prefix) {
        return commands.stream().map(command -> run(command, prefix, _ -> true)).collect(Collectors.joining());
    }

    /** Runs a command, and returns it with its output after it. */
    private static String run(String command, List<String> prefix, Predicate<String> wanted) {
        String heading = "# " + command + LINE_END;
        List<String> words = Stream.concat(prefix.stream(), Stream.of(command.split(" "))).toList();
        Process process;
        try {
            ProcessBuilder builder = new ProcessBuilder(words).redirectErrorStream(true);
            builder.environment().put("LC_ALL", "C");
            // This host's engine, whatever context the docker command is set to.
            builder.environment().put("DOCKER_HOST", "unix://" + Installation.engineSocket(System.getenv()));
            process = builder.start();
            process.getOutputStream().close();
        } catch (IOException missing) {
            return heading + missing.getMessage() + LINE_END + LINE_END;
        }
        Thread limit = Thread.ofVirtual().start(() -> killAfterLimit(process));
        try (InputStream output = process.getInputStream()) {
            String text = lines(output, wanted, MOST_OCTETS);
            process.destroyForcibly();
            return heading + text + LINE_END;
        } catch (IOException failure) {
            return heading + failure + LINE_END + LINE_END;
        } finally {
            process.destroyForcibly();
            limit.interrupt();
        }
    }

    /**
     * Reads the lines that are wanted, and keeps no others.
     *
     * @param most octets that are kept
     */
    static String lines(InputStream output, Predicate<String> wanted, int most) throws IOException {
        InputStream in = new BufferedInputStream(output);
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        StringBuilder kept = new StringBuilder();
        for (int octet = in.read(); octet >= 0 || line.size() > 0; octet = in.read()) {
            if (octet >= 0 && octet != '\n') {
                // The rest of a line that is longer is left out.
                if (line.size() < LONGEST_LINE) {
                    line.write(octet);
                }
                continue;
            }
            String text = line.toString(StandardCharsets.UTF_8);
            line.reset();
            if (wanted.test(text)) {
                if (kept.length() + text.length() >= most) {
                    return kept.append("(cut)").append(LINE_END).toString();
                }
                kept.append(text).append(LINE_END);
            }
        }
        return kept.toString();
    }

    private static void killAfterLimit(Process process) {
        try {
            if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (InterruptedException ended) {
            // Its output has been read.
        }
    }
}
