package io.vxseal.command;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.check.HostCheck;
import io.vxseal.check.host.PortHolders;
import io.vxseal.engine.TestEngine;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Where commands look for what the plugin and the engine have on a host, by what its engine says. A real one is asked in guests. */
class InstallationTest {
    private static final String ID = "5f0c".repeat(16);
    private static final String SECOND = "a1b2".repeat(16);

    @TempDir
    private Path folder;

    private TestEngine engine;
    private Map<String, String> environment;

    @BeforeEach
    void start() throws Exception {
        Path socket = folder.resolve("engine.sock");
        engine = new TestEngine(socket);
        engine.answer("/info", 200, "{\"ID\":\"x\",\"DockerRootDir\":\"/data\"}");
        environment = Map.of("DOCKER_HOST", "unix://" + socket);
    }

    @AfterEach
    void stop() {
        engine.close();
    }

    /** Has the engine answer with these plugins, and one of another kind. */
    private void installed(String... plugins) {
        List<String> all = new ArrayList<>(List.of(plugins));
        all.addFirst(plugin(SECOND.replace('a', 'c'), true, "rexray.sock", "/elsewhere", ""));
        engine.answer("/plugins", 200, "[%s]".formatted(String.join(",", all)));
    }

    private static String plugin(String id, boolean enabled, String socket, String run, String vxlanPort) {
        return ("{\"Config\":{\"Interface\":{\"ProtocolScheme\":\"\",\"Socket\":\"%s\",\"Types\":[\"docker.networkdriver/1.0\"]}},\"Enabled\":%s,"
                        + "\"Id\":\"%s\",\"Name\":\"any:latest\",\"Settings\":{\"Args\":[],\"Devices\":[],\"Env\":[\"VXSEAL_VXLAN_PORT=%s\","
                        + "\"VXSEAL_CLUSTER_PORT=4787\"],\"Mounts\":[{\"Name\":\"swarm\",\"Source\":\"/data/swarm\"},"
                        + "{\"Name\":\"run\",\"Source\":\"%s\"},{\"Name\":\"execroot\",\"Source\":\"/exec\"}]}}")
                .formatted(socket, enabled, id, vxlanPort, run);
    }

    /** Returns what is found with these options, and the socket of the plugin with this id. */
    private Installation find(HostOptions options, Optional<String> id) {
        return Installation.of(environment, options, id.map(each -> Path.of("/any", each, "vxseal.sock")));
    }

    @Test
    void takesSettingsOfThePluginThatIsInstalled() {
        installed(plugin(ID, true, "vxseal.sock", "/run/moved", "4800"));
        assertThat(find(new HostOptions(), Optional.empty())).isEqualTo(new Installation(
                new HostCheck.Folders(Path.of("/run/moved"), Path.of("/data/swarm"), Path.of("/exec/netns"),
                        Path.of("/run/moved/vxseal.run/netns")),
                new PortHolders.Ports(4800, 4787),
                Optional.of(ID),
                Optional.empty()));
    }

    @Test
    void prefersWhatTheOperatorSays() {
        installed(plugin(ID, true, "vxseal.sock", "/run/moved", "4800"));
        HostOptions options = new HostOptions();
        options.dataRoot = Optional.of(folder);
        options.vxlanPort = Optional.of(4801);
        options.clusterPort = Optional.of(4802);
        Installation installation = find(options, Optional.empty());
        assertThat(installation.folders().swarm()).isEqualTo(folder.resolve("swarm"));
        assertThat(installation.ports()).isEqualTo(new PortHolders.Ports(4801, 4802));
    }

    @Test
    void takesTheEnginesDataRootBeforeThePluginIsInstalled() {
        installed();
        Installation installation = find(new HostOptions(), Optional.empty());
        assertThat(installation.folders().swarm()).isEqualTo(Path.of("/data/swarm"));
        assertThat(installation.ports()).isEqualTo(new PortHolders.Ports(4789, 4788));
        assertThat(installation.plugin()).isEmpty();
    }

    @Test
    void choosesPluginByItsSocketElseTheOneThatIsEnabled() {
        installed(plugin(ID, false, "vxseal.sock", "/run/one", "4800"), plugin(SECOND, true, "vxseal.sock", "/run/two", "4801"));
        assertThat(find(new HostOptions(), Optional.empty()).plugin()).contains(SECOND);
        assertThat(find(new HostOptions(), Optional.of(ID)).ports().vxlan()).isEqualTo(4800);

        installed(plugin(ID, true, "vxseal.sock", "/run/one", "4800"), plugin(SECOND, true, "vxseal.sock", "/run/two", "4801"));
        Installation either = find(new HostOptions(), Optional.empty());
        assertThat(either.plugin()).isEmpty();
        assertThat(either.ports().vxlan()).isEqualTo(4789);
    }

    /** With such a setting the plugin does not start, and the other checks are to say what they can. */
    @ParameterizedTest
    @ValueSource(strings = {"70000", "0", "", "often", "-1"})
    void takesThePortByDefaultIfTheOneThatIsSetIsNone(String set) {
        installed(plugin(ID, false, "vxseal.sock", "/run/docker/plugins", set));
        Installation installation = find(new HostOptions(), Optional.empty());
        assertThat(installation.plugin()).contains(ID);
        assertThat(installation.ports()).isEqualTo(new PortHolders.Ports(4789, 4787));
    }

    /** A manager without the others takes long for what it says of its swarm, and so of itself. */
    @Test
    void takesSettingsOfPluginFromAnEngineThatSaysNothingOfItself() {
        engine.answer("/info", 500, "{\"message\":\"context deadline exceeded\"}");
        installed(plugin(ID, true, "vxseal.sock", "/run/moved", "4800"));
        Installation installation = find(new HostOptions(), Optional.empty());
        assertThat(installation.ports().vxlan()).isEqualTo(4800);
        assertThat(installation.folders().swarm()).isEqualTo(Path.of("/data/swarm"));
        assertThat(engine.asked()).containsOnly("/plugins");
    }

    /** Whoever runs a plugin by hand and asks it is not told of another. */
    @Test
    void takesNothingOfAnotherPluginThanTheOneThatIsAsked() {
        installed(plugin(ID, true, "vxseal.sock", "/run/moved", "4800"));
        Installation installation = Installation.of(environment, new HostOptions(), Optional.of(folder.resolve("mine/vxseal.sock")));
        assertThat(installation.plugin()).isEmpty();
        assertThat(installation.ports().vxlan()).isEqualTo(4789);
    }

    @Test
    void knowsTheDefaultsIfTheEngineIsSilent() {
        engine.close();
        assertThat(find(new HostOptions(), Optional.of(ID))).isEqualTo(new Installation(
                new HostCheck.Folders(Path.of("/run/docker/plugins"), Path.of("/var/lib/docker/swarm"), Path.of("/run/docker/netns"),
                        Path.of("/run/docker/plugins/vxseal.run/netns")),
                new PortHolders.Ports(4789, 4788),
                Optional.of(ID),
                Optional.empty()));
    }

    @Test
    void knowsWhyTheEngineSaysNothing() {
        engine.answer("/plugins", 500, "{\"message\":\"it is ill\"}");
        Installation installation = find(new HostOptions(), Optional.empty());
        assertThat(installation.silence()).hasValue(folder.resolve("engine.sock") + ": it answers 500: it is ill");
        assertThat(installation.folders().swarm()).as("what it says all the same").isEqualTo(Path.of("/data/swarm"));
    }

    @Test
    void knowsPluginByItsSocketHoweverThatIsNamed() throws Exception {
        installed(plugin(ID, false, "vxseal.sock", "/run/one", "4800"));
        Path socket = Files.createFile(Files.createDirectories(folder.resolve(ID)).resolve("vxseal.sock"));
        Path link = Files.createSymbolicLink(folder.resolve("link.sock"), socket);
        for (Path named : List.of(socket, link, socket.getParent().resolve("./vxseal.sock"))) {
            assertThat(Installation.of(environment, new HostOptions(), Optional.of(named)).ports().vxlan()).as(named.toString()).isEqualTo(4800);
        }
    }

    @Test
    void findsSocketWhereTheRunFolderWasMoved() throws Exception {
        Path run = folder.resolve("run");
        installed(plugin(ID, true, "vxseal.sock", run.toString(), "4789"));
        Path socket = Files.createFile(Files.createDirectories(run.resolve(ID)).resolve("vxseal.sock"));
        assertThat(RunningPlugin.find(environment, folder.resolve("none"))).isEqualTo(socket);
    }
}
