package io.vxseal.lab;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/** The built tree of the product, as a user has it before {@code plugin/install}. */
public record Product(Path tree) {

    /** Creating the plugin packs and unpacks its root file system, and enabling it starts a JVM; both on an emulated host. */
    private static final Duration INSTALL = Duration.ofMinutes(5);

    private static final Duration TOGETHER = Duration.ofMinutes(3);
    private static final Duration ANSWER = Duration.ofSeconds(30);

    public static final String NAME = "vxseal";

    /** Prints the plugin's log. */
    public static final String LOG = EngineEvents.LOG + " | grep 'plugin='";

    private static final String SOCKET = "/run/docker/plugins/*/" + NAME + ".sock";

    /** A swarm knows a managed plugin's driver by its full name, under which engines register it (moby #30024). */
    public static final String DRIVER = NAME + ":latest";

    /** Returns the product's tree, named by the system property {@code vxseal.tree} or found above the current folder. */
    public static Product here() {
        String told = System.getProperty("vxseal.tree", "");
        return new Product(told.isEmpty() ? Lab.home().getParent() : Path.of(told).toAbsolutePath());
    }

    /** Returns the folder for {@code docker plugin create}. */
    public Path folder() {
        return tree.resolve("target/plugin");
    }

    Path scripts() {
        return tree.resolve("plugin");
    }

    /** Returns the existing folders and files of {@code target} with the product's classes, its tests, their jars, and the bench's floor. */
    List<Path> tests() {
        return Stream.of("classes", "test-classes", "test-lib", "floor")
                .map(tree.resolve("target")::resolve)
                .filter(Files::exists)
                .toList();
    }

    /** Returns a digest of what is installed on a host, the plugin and its scripts, independent of their times. */
    String digest() {
        return Host.run(INSTALL, List.of("bash", "-c", "set -o pipefail; tar -C \"$0\" --sort=name --mtime=@0 -c plugin target/plugin"
                + " | sha256sum", tree.toString())).require();
    }

    public Product requireBuilt() {
        if (!Files.isRegularFile(folder().resolve("config.json"))) {
            throw new LabException("no plugin in " + folder() + "; make it with " + scripts().resolve("build"));
        }
        return this;
    }

    /** Installs it on a host whose payload disk has it. */
    public void install(Guest guest) {
        guest.run("/payload/plugin/install /payload/target/plugin", INSTALL).require();
    }

    /** Disables it on a host; its networks stay in the kernel. */
    public static void disable(Guest guest) {
        guest.run("docker plugin disable " + NAME, TOGETHER).require();
    }

    /** Removes the plugin, if it is there, and what outlives its removal. */
    public static void uninstall(Guest guest) {
        guest.run("/payload/plugin/uninstall", TOGETHER).require();
    }

    /**
     * Publishes the plugin of the host's payload, with an additional file, to a registry on the host itself.
     *
     * @param reference {@code 127.0.0.1:5000/NAME:TAG}
     */
    public static void publish(Guest guest, String reference, String description) {
        // Unlike images, plugins are pushed only with TLS, even to this host; any certificate will do.
        guest.sh("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=registry -days 2"
                + " -keyout /run/registry.key -out /run/registry.crt");
        guest.copyIn("""
                version: 0.1
                storage: {filesystem: {rootdirectory: /var/lib/docker/registry}}
                http: {addr: "127.0.0.1:5000", tls: {certificate: /run/registry.crt, key: /run/registry.key}}
                """.getBytes(StandardCharsets.UTF_8), "/run/registry.yml");
        guest.spawn("exec docker-registry serve /run/registry.yml", INSTALL.multipliedBy(2));
        guest.run("""
                set -e
                mkdir -p /run/next/rootfs /run/more/work /run/more/data
                sed 's/"description": "Encrypted.*"/"description": "%s"/' /payload/target/plugin/config.json > /run/next/config.json
                mount -t overlay -o lowerdir=/payload/target/plugin/rootfs,upperdir=/run/more/data,workdir=/run/more/work more /run/next/rootfs
                touch /run/next/rootfs/another
                docker plugin create %s /run/next
                docker plugin push %2$s
                docker plugin rm %2$s
                umount /run/next/rootfs""".formatted(description, reference), INSTALL).require();
    }

    /** Upgrades it, while it is disabled, to the registry's plugin of that name. */
    public static void upgrade(Guest guest, String reference) {
        guest.run("docker plugin upgrade --grant-all-permissions --skip-remote-check %s %s".formatted(NAME, reference), INSTALL)
                .require();
    }

    /** Removes it from a host by force, with everything in its own folder, though its networks are in use. */
    public static void removeByForce(Guest guest) {
        guest.run("docker plugin rm --force " + NAME, TOGETHER).require();
    }

    /** Changes a setting while it is disabled. */
    public static void set(Guest guest, String setting, Object value) {
        guest.sh("docker plugin set %s %s=%s".formatted(NAME, setting, value));
    }

    /** Enables it on a host where it was {@link #disable disabled}. */
    public static void enable(Guest guest) {
        guest.run("docker plugin enable --timeout 120 " + NAME, INSTALL).require();
    }

    /** Disables it by force though its networks are in use: they keep working in the kernel. */
    public static void disableByForce(Guest guest) {
        guest.run("docker plugin disable --force " + NAME, TOGETHER).require();
    }

    /** Returns the plugin's process id on the host; empty if there is no process. */
    public static Optional<String> process(Guest guest) {
        String pid = guest.run("pgrep -f io.vxseal.[M]ain", ANSWER).out().strip();
        return pid.isEmpty() ? Optional.empty() : Optional.of(pid);
    }

    /** Sends the plugins' processes a signal, by its name: STOP and CONT have them stand still and go on. */
    public static void signal(List<Guest> guests, String name) {
        guests.forEach(guest -> guest.sh("pkill -%s -f io.vxseal.[M]ain".formatted(name)));
    }

    /** Returns the plugin's state files on the host: the one that survives a reboot, and the one that does not. */
    public static List<String> stateFiles(Guest guest) {
        return guest.sh("ls /var/lib/docker/plugins/*/propagated-mount/state.json /run/docker/plugins/vxseal.run/endpoints.json")
                .lines().toList();
    }

    /**
     * Calls the plugin as its engine would; the call must succeed.
     *
     * @param body JSON with apostrophes in place of quotation marks
     */
    public static String call(Guest guest, String method, String body) {
        return SocketRequest.send(guest, SOCKET, "POST /" + method, body.replace('\'', '"'), ANSWER).require();
    }

    /** Returns the answer to {@code GET /status}; empty if there is none. */
    public static Optional<JsonNode> status(Guest guest) {
        Outcome outcome = SocketRequest.send(guest, SOCKET, "GET /status", "", ANSWER);
        return outcome.ok() ? Optional.of(outcome.json()) : Optional.empty();
    }

    /** Returns the version of the ring that a host has; there is an answer. */
    public static long ringVersion(Guest guest) {
        return status(guest).orElseThrow().path("ring").path("version").asLong();
    }

    /**
     * Waits until the installed plugins answer, are connected with the managers, have one ring, and the kernels hold all wanted states and policies.
     */
    public static void awaitTogether(List<Guest> guests) {
        Await.until("the plugins on " + guests + " to be connected, with one ring", TOGETHER, () -> areTogether(guests));
    }

    /** Returns whether that is so now. */
    public static boolean areTogether(List<Guest> guests) {
        List<Optional<JsonNode>> all = Together.map(guests, Product::status);
        return all.stream().allMatch(status -> status.filter(s -> isWhole(s, guests.size())).isPresent())
                && all.stream().map(status -> status.orElseThrow().path("ring").findValuesAsText("tag")).distinct().count() == 1;
    }

    private static boolean isWhole(JsonNode status, int nodes) {
        JsonNode ipsec = status.path("ipsec");
        return isConnected(status.path("cluster"), nodes)
                && !status.path("ring").path("keys").isEmpty()
                && ipsec.path("statesFound").asInt(-1) == ipsec.path("statesWanted").asInt()
                && ipsec.path("policiesFound").asInt(-1) == ipsec.path("policiesWanted").asInt();
    }

    /** A manager's plugin knows all nodes, and has a hub without an address, its own; a worker's knows those that share a network with it. */
    private static boolean isConnected(JsonNode cluster, int nodes) {
        List<JsonNode> hubs = StreamSupport.stream(cluster.path("hubs").spliterator(), false).toList();
        boolean isManager = hubs.stream().anyMatch(hub -> !hub.hasNonNull("address"));
        return !hubs.isEmpty() && hubs.stream().allMatch(hub -> hub.path("upToDate").asBoolean())
                && (!isManager || cluster.path("members").size() == nodes);
    }
}
