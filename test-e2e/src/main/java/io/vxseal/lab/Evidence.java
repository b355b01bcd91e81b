package io.vxseal.lab;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The files kept of a failed run: enough to find the cause without running it again. */
final class Evidence {

    private static final Duration LIMIT = Duration.ofSeconds(25);
    private static final int LAST_LINES = 15;

    /** A goroutine that waits for a lock, for how long, and the first function on its stack that is the engine's own. */
    private static final Pattern STUCK = Pattern.compile(
            "(?m)^goroutine \\d+ \\[((?:sync\\.\\w*Mutex|semacquire)[^\\]]*, \\d+ minutes)[^\\]]*]:\n(?:.+\n)*?github\\.com/docker/docker/([^(\\s]*(?:\\(\\*\\w+\\)[\\w.]+)?)");

    /** Commands by the name of the file that they fill. Without keys, because the files may be passed on. */
    private static final Map<String, String> COMMANDS = new LinkedHashMap<>();

    static {
        COMMANDS.put("xfrm.txt", "ip -s xfrm state list nokeys; echo; ip -s xfrm policy; echo; cat /proc/net/xfrm_stat");
        COMMANDS.put("rules.txt", "iptables-save -c; echo; ip6tables-save -c; echo; nft list ruleset");
        COMMANDS.put("links.txt", "ip -d -s link; echo; ip addr; echo; ip route show table all; echo; ip neigh; echo; bridge fdb;"
                + " for ns in /run/docker/netns/* /run/docker/plugins/vxseal.run/netns/*; do"
                + " echo; echo \"== $ns\"; nsenter --net=$ns sh -c 'ip -d link; ip addr; ip neigh; bridge fdb'; done; cat /proc/self/mountinfo");
        COMMANDS.put("engine.log", "cat /var/log/dockerd.log");
        COMMANDS.put("plugin.log", Product.LOG);
        COMMANDS.put("kernel.log", "dmesg");
        COMMANDS.put("processes.txt", "ps -ef; free -m; df -h");
        COMMANDS.put("docker.txt", "docker plugin ls; docker network ls; docker ps -a; docker node ls; docker service ls;"
                + " for s in $(docker service ls -q); do docker service ps --no-trunc $s; done");
        // An engine that answers nothing any more: who waits for whom, in it and in the plugin.
        COMMANDS.put("goroutines.txt", "rm -f /run/docker/goroutine-stacks-*; pkill -USR1 -x dockerd; sleep 3; cat /run/docker/goroutine-stacks-*");
        COMMANDS.put("threads.txt", "pkill -QUIT -f io.vxseal.[M]ain; sleep 3; " + Product.LOG + " | tail -n 3000");
    }

    private Evidence() {}

    /** Collects the files; never throws, because it is called after another failure. */
    static void gather(List<Guest> guests, Wire wire, Path folder) {
        try {
            Files.createDirectories(folder);
            Together.each(guests, guest -> gather(guest, folder));
            for (Capture capture : wire.captures()) {
                if (Files.exists(capture.file())) {
                    Files.copy(capture.file(), folder.resolve(capture.file().getFileName()), StandardCopyOption.REPLACE_EXISTING);
                }
            }
        } catch (IOException | RuntimeException e) {
            System.err.println("lab: not all evidence could be kept in " + folder + ": " + e);
        }
    }

    /** Returns the plugin's last lines, and what its engine last complained of, for readers who have only the run's output. */
    static String lastWords(Path folder, Guest guest) {
        return last(folder.resolve(guest.name() + "-plugin.log"), line -> true).map(line -> line.replaceFirst(" plugin=\\w+$", ""))
                .collect(Collectors.joining("\n"))
                + "\n    and of its engine's warnings and errors:\n"
                + last(folder.resolve(guest.name() + "-engine.log"), Evidence::isComplaint).collect(Collectors.joining("\n"))
                + "\n    and what its goroutines have waited for for minutes:\n"
                + stuck(folder.resolve(guest.name() + "-goroutines.txt")).collect(Collectors.joining("\n"));
    }

    /** Returns the engine's goroutines that have waited for a lock for minutes, each with the function of the engine that did. */
    private static Stream<String> stuck(Path stacks) {
        try {
            return STUCK.matcher(Files.readString(stacks, StandardCharsets.ISO_8859_1)).results()
                    .map(found -> "    " + found.group(1) + " " + found.group(2)).distinct().limit(LAST_LINES);
        } catch (IOException e) {
            return Stream.of("    (they were not kept)");
        }
    }

    private static boolean isComplaint(String line) {
        // Look-ups of names outside are many, and refused: the laboratory has no name server.
        return !line.contains(" plugin=") && !line.contains("msg=\"Handler for ") && !line.contains("failed to query external DNS server")
                && (line.contains("level=warning") || line.contains("level=error"));
    }

    private static Stream<String> last(Path log, Predicate<String> which) {
        try (Stream<String> lines = Files.lines(log, StandardCharsets.ISO_8859_1)) {
            List<String> found = lines.filter(which).toList();
            return found.subList(Math.max(0, found.size() - LAST_LINES), found.size()).stream().map(line -> "    " + line);
        } catch (IOException | UncheckedIOException e) {
            return Stream.of("    (its log was not kept)");
        }
    }

    private static void gather(Guest guest, Path folder) {
        try {
            Files.copy(guest.console(), folder.resolve(guest.name() + "-console.log"), StandardCopyOption.REPLACE_EXISTING);
            Files.copy(guest.qemuLog(), folder.resolve(guest.name() + "-qemu.log"), StandardCopyOption.REPLACE_EXISTING);
            if (guest.crash().isPresent()) {
                return;
            }
            for (var command : COMMANDS.entrySet()) {
                Outcome outcome = guest.run(command.getValue(), LIMIT);
                Files.writeString(folder.resolve(guest.name() + "-" + command.getKey()), outcome.out() + outcome.err());
            }
        } catch (IOException | RuntimeException e) {
            System.err.println("lab: not all evidence of " + guest + " could be kept: " + e.getMessage());
        }
    }
}
