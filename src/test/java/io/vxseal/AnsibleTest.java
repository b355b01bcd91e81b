package io.vxseal;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * {@code deploy/ansible} by Debian's Ansible ({@code test-e2e/prepare} installs it). What needs no engine runs on nodes that are this
 * machine, in namespaces in which its engine, home folder and network are out of reach.
 */
class AnsibleTest {
    private static final Path FOLDER = Path.of("deploy", "ansible").toAbsolutePath();

    /** Hides what is this machine's, and runs the words after this one. The last line has what is left of the copies. */
    private static final String ALONE = """
            for folder in /run /root /var/tmp; do mount -t tmpfs -o mode=700 tmpfs $folder; done
            status=0
            "$@" || status=$?
            echo "left: $(ls -A /var/tmp)"
            exit $status
            """;

    /** The nodes, each of them this machine, without a login. */
    private static final String INVENTORY = """
            [swarm]
            first
            second
            [swarm:vars]
            ansible_connection=local
            ansible_python_interpreter=/usr/bin/python3
            """;

    /** The role's part that copies and installs, which the role runs where another build is installed or none. */
    private static final String INSTALL = """
            - hosts: swarm
              gather_facts: false
              serial: 1
              any_errors_fatal: true
              tasks:
                - ansible.builtin.include_role:
                    name: vxseal
                    tasks_from: install.yml
                  vars:
                    vxseal_folder: %1$s/plugin
                    vxseal_installer: %1$s/installer
            """;

    /** Notes what it was given, and fails if it finds a file of that name. */
    private static final String INSTALLER = """
            #!/bin/sh
            set -eu
            echo "$# $(cat "$1/config.json") $(stat -c '%%a %%u' "$1/rootfs/program")" >> %1$s/installed
            [ ! -e %1$s/fail ]
            """;

    @TempDir
    private Path scratch;

    private record Outcome(int status, List<String> lines) {}

    @BeforeEach
    void makePlugin() throws IOException {
        Path rootfs = Files.createDirectories(scratch.resolve("plugin/rootfs"));
        Files.writeString(scratch.resolve("plugin/config.json"), "{}");
        Files.createFile(rootfs.resolve("program"), PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwxr-x---")));
        Files.writeString(scratch.resolve("installer"), INSTALLER.formatted(scratch));
        Files.writeString(scratch.resolve("inventory"), INVENTORY);
        Files.writeString(scratch.resolve("install.yml"), INSTALL.formatted(scratch));
    }

    private Outcome play(Path playbook, String... options) throws IOException, InterruptedException {
        List<String> command = Stream.of(
                        Stream.of("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "timeout", "300", "sh", "-ec", ALONE, "sh",
                                "ansible-playbook", "--inventory", scratch.resolve("inventory").toString()),
                        Stream.of(options), Stream.of(playbook.toString()))
                .flatMap(each -> each).toList();
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true).directory(scratch.toFile());
        builder.environment().put("HOME", "/root");
        builder.environment().put("ANSIBLE_ROLES_PATH", FOLDER.resolve("roles").toString());
        builder.environment().put("ANSIBLE_NOCOLOR", "1");
        builder.environment().remove("DOCKER_HOST");
        Process process = builder.start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Outcome(process.waitFor(), output.lines().toList());
    }

    private List<String> installed() throws IOException {
        Path file = scratch.resolve("installed");
        return Files.exists(file) ? Files.readAllLines(file) : List.of();
    }

    @Test
    void ansibleAcceptsPlaybook() throws Exception {
        assertAccepted(FOLDER.resolve("install.yml"));
    }

    /** Each file is imported, because the check does not read what is only included when the playbook runs. */
    @Test
    void ansibleAcceptsEveryFileOfTasks() throws Exception {
        StringBuilder playbook = new StringBuilder("- hosts: swarm\n  tasks:\n");
        try (Stream<Path> files = Files.list(FOLDER.resolve("roles/vxseal/tasks"))) {
            files.sorted().forEach(file -> playbook.append("    - ansible.builtin.import_role: {name: vxseal, tasks_from: %s}\n"
                    .formatted(file.getFileName())));
        }
        assertThat(playbook).contains("install.yml", "main.yml", "settings.yml");
        assertAccepted(Files.writeString(scratch.resolve("check.yml"), playbook));
    }

    private void assertAccepted(Path playbook) throws IOException, InterruptedException {
        Outcome outcome = play(playbook, "--syntax-check");
        assertThat(outcome.status).as(outcome.lines.toString()).isZero();
        assertThat(outcome.lines).anyMatch(line -> line.startsWith("playbook: ")).noneMatch(line -> line.contains("WARNING"));
    }

    @Test
    void copiesAndInstallsOnEachNodeAndLeavesNoCopy() throws Exception {
        Outcome outcome = play(scratch.resolve("install.yml"));
        assertThat(outcome.lines).contains("left: ");
        assertThat(outcome.status).as(outcome.lines.toString()).isZero();
        assertThat(installed()).containsExactly("1 {} 750 0", "1 {} 750 0");
    }

    @Test
    void stopsAtNodeWhereInstallerFailsAndLeavesNoCopy() throws Exception {
        Files.createFile(scratch.resolve("fail"));
        Outcome outcome = play(scratch.resolve("install.yml"));
        assertThat(outcome.lines).contains("left: ").noneMatch(line -> line.contains("[second]"));
        assertThat(outcome.status).isNotZero();
        assertThat(installed()).hasSize(1);
    }

    @Test
    void stopsAtFirstNodeWithoutEngine() throws Exception {
        Outcome outcome = play(FOLDER.resolve("install.yml"), "--extra-vars", "vxseal_folder=" + scratch.resolve("plugin"));
        assertThat(outcome.lines).anyMatch(line -> line.startsWith("fatal: [first]")).noneMatch(line -> line.contains("[second]"))
                .noneMatch(line -> line.contains("Install this build")).contains("left: ");
        assertThat(outcome.status).isNotZero();
    }
}
