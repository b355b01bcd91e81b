package io.vxseal;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * {@code plugin/install-all} through a real SSH server (Dropbear, which {@code test-e2e/prepare} installs). The server and the script are
 * in namespaces of their own, in which this machine's engine, home folder and network are out of reach; all of 127.0.0.0/8 are nodes.
 */
class InstallAllTest {
    /** Prepares the namespaces, and runs the script with the words of this one. The last line has what it left on the nodes. */
    private static final String ALONE = """
            set -e
            for folder in /run /root /var/tmp; do mount -t tmpfs -o mode=700 tmpfs $folder; done
            ip link set lo up
            mkdir -m 700 /root/.ssh
            ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
            cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys
            dropbearkey -t ed25519 -f /run/hostkey > /run/log 2>&1
            dropbear -r /run/hostkey -P /run/pid -p 22
            status=0
            "$@" || status=$?
            echo "left: $(ls -A /var/tmp)"
            exit $status
            """;

    private static final String SSH = "ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o BatchMode=yes";

    /** Says on which node it runs, and with what. The third one fails. */
    private static final String INSTALLER = """
            #!/bin/sh
            set -eu
            node=${SSH_CONNECTION% *}
            node=${node##* }
            echo "installing on $node $# $(cat "$1/config.json") $(stat -c %a "$1/rootfs/program")"
            [ "$node" != 127.0.0.3 ]
            """;

    @TempDir
    private Path tree;

    private record Outcome(int status, List<String> lines) {}

    @BeforeEach
    void makePlugin() throws IOException {
        Path rootfs = Files.createDirectories(tree.resolve("target/plugin/rootfs"));
        Files.writeString(tree.resolve("target/plugin/config.json"), "{}");
        Files.createFile(rootfs.resolve("program"), PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwxr-x---")));
        Files.createDirectories(tree.resolve("plugin"));
        copy("install-all");
    }

    private void copy(String script) throws IOException {
        Files.copy(Path.of("plugin", script), tree.resolve("plugin").resolve(script), StandardCopyOption.COPY_ATTRIBUTES);
    }

    private Outcome run(String... nodes) throws IOException, InterruptedException {
        List<String> command = Stream.concat(
                Stream.of("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "timeout", "60", "sh", "-c", ALONE, "sh",
                        tree.resolve("plugin/install-all").toString(), "--ssh", SSH),
                Stream.of(nodes)).toList();
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().merge("PATH", "/usr/sbin:/sbin", (path, more) -> path + ":" + more);
        // No key or agent of whoever runs the test.
        builder.environment().put("HOME", "/root");
        builder.environment().remove("SSH_AUTH_SOCK");
        Process process = builder.start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Outcome(process.waitFor(), output.lines().toList());
    }

    @Test
    void installsOnOneNodeAfterTheOtherUntilOneFails() throws Exception {
        Path installer = Files.writeString(tree.resolve("plugin/install"), INSTALLER);
        Files.setPosixFilePermissions(installer, PosixFilePermissions.fromString("rwxr-xr-x"));

        Outcome outcome = run("127.0.0.1", "root@127.0.0.2", "127.0.0.3", "127.0.0.4");

        assertThat(outcome.lines).containsSubsequence(
                "install-all: 1 of 4: 127.0.0.1",
                "127.0.0.1: installing on 127.0.0.1 1 {} 750",
                "install-all: 2 of 4: root@127.0.0.2",
                "root@127.0.0.2: installing on 127.0.0.2 1 {} 750",
                "127.0.0.3: installing on 127.0.0.3 1 {} 750");
        assertThat(outcome.lines).anyMatch(line -> line.startsWith("install-all: error: 127.0.0.3 failed") && line.contains("2 of 4 nodes"))
                .noneMatch(line -> line.contains("127.0.0.4"))
                .contains("left: ");
        assertThat(outcome.status).isEqualTo(1);
    }

    @Test
    void installsOnAllNodesAndLeavesNothingElse() throws Exception {
        Path installer = Files.writeString(tree.resolve("plugin/install"), INSTALLER);
        Files.setPosixFilePermissions(installer, PosixFilePermissions.fromString("rwxr-xr-x"));

        Outcome outcome = run("127.0.0.1", "127.0.0.2", "root@127.0.0.4");

        assertThat(outcome.lines).containsSubsequence(
                "127.0.0.1: installing on 127.0.0.1 1 {} 750",
                "127.0.0.2: installing on 127.0.0.2 1 {} 750",
                "root@127.0.0.4: installing on 127.0.0.4 1 {} 750",
                "install-all: the plugin is installed on 3 nodes",
                "left: ");
        assertThat(outcome.status).isZero();
    }

    @Test
    void saysWhichNodeHasNoEngine() throws Exception {
        copy("install");

        Outcome outcome = run("127.0.0.1", "127.0.0.2");

        assertThat(outcome.lines)
                .anyMatch(line -> line.matches("127\\.0\\.0\\.1: install: error: no (engine answers|docker command).*"))
                .anyMatch(line -> line.startsWith("install-all: error: 127.0.0.1 failed") && line.contains("0 of 2 nodes"))
                .contains("left: ");
        assertThat(outcome.status).isEqualTo(1);
    }

    @Test
    void saysWhichNodeIsNotReached() throws Exception {
        copy("install");

        Outcome outcome = run("nobody@127.0.0.1");

        assertThat(outcome.lines).anyMatch(line -> line.startsWith("nobody@127.0.0.1: ") && line.contains("Permission denied"))
                .anyMatch(line -> line.startsWith("install-all: error: nobody@127.0.0.1 failed"));
        assertThat(outcome.status).isEqualTo(1);
    }
}
