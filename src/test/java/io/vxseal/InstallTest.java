package io.vxseal;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * {@code plugin/install} up to where it makes the plugin, in network and mount namespaces of its own, with this build's program as the one
 * that checks. A script answers for the engine, which this machine need not have, and writes down what it is asked.
 */
class InstallTest {
    private static final String ENGINE = """
            #!/bin/sh
            echo "docker $*" >> "$ENGINE_LOG"
            case "$1 $2" in
              "version --format") echo 27.0.0 ;;
              "info --format") echo "$ENGINE_DATA" ;;
              "plugin inspect")
                [ -n "$ENGINE_HAS" ] || exit 1
                case $* in *Settings*) echo VXSEAL_VXLAN_PORT=4800 ;; *) echo "$ENGINE_HAS" ;; esac ;;
              *) exit 1 ;;
            esac
            """;

    /** The command and the list of modules that the script writes are on a file system of the test. */
    private static final String ALONE = """
            set -e
            for folder in /usr/local/bin /etc/modules-load.d; do mkdir -p $folder; mount -t tmpfs tmpfs $folder; done
            ip link set lo up
            eval "$PREPARATION"
            "$@"
            """;

    @TempDir
    private Path tree;

    private record Outcome(int status, List<String> lines, String asked) {}

    @BeforeEach
    void makePlugin() throws IOException {
        Files.createDirectories(tree.resolve("data/swarm"));
        Files.createDirectories(tree.resolve("plugin/rootfs/usr/lib/vxseal/bin"));
        Files.writeString(tree.resolve("plugin/config.json"), "{\"description\": \"vxseal (build)\"}");
        script("tools/docker", ENGINE);
    }

    private void script(String name, String text) throws IOException {
        Path script = tree.resolve(name);
        Files.createDirectories(script.getParent());
        Files.setPosixFilePermissions(Files.writeString(script, text), PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    /** Makes the program of the plugin one that runs a command. */
    private void program(String command) throws IOException {
        script("plugin/rootfs/usr/lib/vxseal/bin/vxseal", "#!/bin/sh\n" + command + "\n");
    }

    /** The classes of this build, as the plugin's program runs them. */
    private void useThisBuild() throws IOException {
        program("exec %s --enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow -cp '%s' io.vxseal.Main \"$@\"".formatted(
                Path.of(System.getProperty("java.home"), "bin/java"), System.getProperty("java.class.path")));
    }

    private Outcome run(String preparation, String has, String... options) throws Exception {
        List<String> command = new ArrayList<>(List.of("unshare", "--mount", "--net", "sh", "-c", ALONE, "sh", "plugin/install"));
        command.addAll(Arrays.asList(options));
        command.add(tree.resolve("plugin").toString());
        Path log = tree.resolve("asked");
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().merge("PATH", tree.resolve("tools") + ":", (path, tools) -> tools + path + ":/usr/sbin:/sbin");
        builder.environment().put("PREPARATION", preparation);
        builder.environment().put("ENGINE_LOG", log.toString());
        builder.environment().put("ENGINE_DATA", tree.resolve("data").toString());
        builder.environment().put("ENGINE_HAS", has);
        builder.environment().remove("DOCKER_HOST");
        Process process = builder.start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Outcome(process.waitFor(), output.lines().toList(), Files.readString(log));
    }

    @Test
    void stopsAtWhatTheChecksFindAndShowsIt() throws Exception {
        useThisBuild();

        Outcome outcome = run("iptables-nft -A INPUT -p udp --dport 4789 -j DROP", "");

        assertThat(outcome.lines).anyMatch(line -> line.startsWith("FAIL  firewall") && line.contains("rule 1 of chain INPUT"))
                .anyMatch(line -> line.strip().equals("iptables-nft -t filter -I INPUT -p udp --dport 4789 -j ACCEPT"))
                .anyMatch(line -> line.matches("ok +ports .*"));
        assertThat(outcome.lines.getLast()).startsWith("install: error: this host is not fit").contains("FAIL", "--force");
        assertThat(outcome.status).isEqualTo(1);
        assertThat(outcome.asked).doesNotContain("plugin create");
    }

    @ParameterizedTest
    @CsvSource({"1, this host is not fit", "124, the checks took longer than", "127, the checks did not run"})
    void goesOnFromFailedChecksOnlyIfTold(int status, String reason) throws Exception {
        program("echo \"$*\"; exit " + status);

        Outcome stopped = run("", "");
        assertThat(stopped.lines).anyMatch(line -> line.startsWith("check --host --data-root "))
                .last().asString().startsWith("install: error: " + reason);
        assertThat(stopped.status).isEqualTo(1);

        Outcome forced = run("", "", "--force");
        assertThat(forced.lines).anyMatch(line -> line.startsWith("install: warning: " + reason));
        assertThat(forced.asked).contains("plugin create");
    }

    @Test
    void doesNotStopWhereThisBuildIsEnabledWhateverTheChecksFind() throws Exception {
        program("echo \"$*\"; exit 1");

        Outcome outcome = run("", "true vxseal (build)");

        assertThat(outcome.lines).anyMatch(line -> line.contains(" --vxlan-port 4800 --cluster-port 4788"))
                .anyMatch(line -> line.startsWith("install: warning: this host is not fit"));
    }
}
