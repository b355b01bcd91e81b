package io.vxseal.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.lab.Guest;
import io.vxseal.lab.Lab;
import io.vxseal.lab.Product;
import io.vxseal.lab.Together;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * The product's own tests of IPsec states and policies, on a stock kernel, which has ESP. They run on the plugin's own JVM, with whole
 * libraries: the plugin's jar lacks what only tests call.
 */
@Laboratory
class KernelTest {

    private static final String TESTS = "cd /payload/target/plugin/rootfs/usr/lib/vxseal && runtime/bin/java"
            + " --enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow"
            + " -XX:+UseSerialGC -XX:TieredStopAtLevel=1"
            + " -cp /payload/target/classes:/payload/target/test-classes:'/payload/target/test-lib/*'"
            + " org.junit.platform.console.ConsoleLauncher execute"
            + " --disable-banner --disable-ansi-colors --include-tag=esp"
            // jqwik keeps a database in the current folder, which is read-only here.
            + " --include-engine=junit-jupiter";

    /** Four of its iterations take as long as all others together, so the guests share them. */
    private static final String LONG_CLASS = "io.vxseal.overlay.ProtectionSequenceTest";
    private static final String LONG_TEST = LONG_CLASS + "#neverSendsInClearOnKernelWithEsp(int)";
    /** Sequences of it; {@code ./test --soak} plays all 20. */
    private static final int RUNS = Integer.getInteger("vxseal.sequences", 2);

    @Test
    void passesEspTestsOnStockKernel(Lab lab) throws IOException {
        List<String> classes = classes();
        List<Guest> guests = lab.guests();

        // Each test is independent, so the guests share them.
        List<String> said = Together.map(guests, guest -> guest.run(TESTS + IntStream.range(0, classes.size())
                .filter(n -> n % guests.size() == guests.indexOf(guest))
                .mapToObj(n -> " --select-class=" + classes.get(n))
                .collect(Collectors.joining()) + runs(guests.indexOf(guest), guests.size()), Duration.ofMinutes(40)).require());

        assertThat(said).allSatisfy(words -> assertThat(words)
                .contains(" 0 tests failed ", " 0 tests skipped ", " 0 tests aborted ").doesNotContain(" 0 tests found "));
        assertThat(String.join("\n", said)).contains(IntStream.rangeClosed(1, RUNS).mapToObj("seed %d "::formatted).toList());
    }

    /** Returns the options for one guest's share of the long test. */
    private static String runs(int guest, int guests) {
        return " --select-iteration='method:%s[%d..%d]'".formatted(LONG_TEST, RUNS * guest / guests, RUNS * (guest + 1) / guests - 1);
    }

    /**
     * Returns the classes with such tests, without the long one. If JUnit searched for them in a guest, it would load all classes,
     * which takes a minute.
     */
    private static List<String> classes() throws IOException {
        Path sources = Product.here().tree().resolve("src/test/java");
        try (Stream<Path> files = Files.walk(sources)) {
            return files.filter(file -> file.toString().endsWith(".java") && says(file, "@Tag(\"esp\")"))
                    .map(file -> sources.relativize(file).toString().replace(".java", "").replace('/', '.'))
                    .filter(name -> !name.equals(LONG_CLASS))
                    .sorted()
                    .toList();
        }
    }

    private static boolean says(Path file, String words) {
        try {
            return Files.readString(file).contains(words);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
