package io.vxseal.lab;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;

/** The product's tree, built: what a user would have before {@code plugin/install}. */
public record Product(Path tree) {

    /** Creating it packs and unpacks the plugin's root file system; enabling it starts a JVM. Emulated, both. */
    private static final Duration INSTALL = Duration.ofMinutes(5);

    public static final String NAME = "vxseal";

    /** A managed plugin's driver goes by its whole name in a swarm: engines register it so (moby #30024). */
    public static final String DRIVER = NAME + ":latest";

    /** The product's tree, told by the system property {@code vxseal.tree} or found above the current folder. */
    public static Product here() {
        String told = System.getProperty("vxseal.tree", "");
        return new Product(told.isEmpty() ? Lab.home().getParent() : Path.of(told).toAbsolutePath());
    }

    /** The folder that {@code docker plugin create} takes. */
    public Path folder() {
        return tree.resolve("target/plugin");
    }

    Path scripts() {
        return tree.resolve("plugin");
    }

    /** Folders in {@code target} with the product's classes, its tests, and the jars of both; those that are there. */
    List<Path> tests() {
        return Stream.of("classes", "test-classes", "test-lib")
                .map(tree.resolve("target")::resolve)
                .filter(Files::isDirectory)
                .toList();
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
}
