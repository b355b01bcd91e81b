package io.vxseal;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.Dependency;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaMethodCall;
import com.tngtech.archunit.core.domain.Source;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** The dependencies between the program's rooms and files, against ARCHITECTURE.md. */
class ArchitectureTest {
    private static final String PROGRAM = "io.vxseal";

    /** A row of the table of rooms: its first cell is a room, its last the rooms that it uses. */
    private static final Pattern ROW = Pattern.compile("^\\| `([a-z]+)` \\|.*\\|([^|]*)\\|$", Pattern.MULTILINE);

    private static final Pattern NAME = Pattern.compile("`([a-z]+)`");

    /** Circles that are still to be opened. An entry is removed together with its circle, and none is added. */
    private static final Set<Set<String>> KNOWN_CIRCLES = Set.of();

    /** Show the time to people, or compare it with another host's or with that in a certificate or a key ring. */
    private static final Set<String> WALL_CLOCK_READERS = Set.of(
            "check/host/ClockCheck.java",
            "cluster/ClusterThread.java",
            "cluster/hub/RecordFile.java",
            "cluster/link/FrameWriter.java",
            "cluster/link/Session.java",
            "cluster/link/Sessions.java",
            "command/Support.java",
            "encryption/Encryption.java",
            "journal/Journal.java",
            "overlay/ErrorLog.java",
            "overlay/Observer.java",
            "plugin/OperatorRequests.java");

    private static final Path SOURCES = Path.of("src", "main", "java", "io", "vxseal");

    /** The program's classes, without those that an earlier build left of a file that is gone. */
    private static final JavaClasses CLASSES = new ClassFileImporter()
            .importPath(Path.of("target", "classes"))
            .that(DescribedPredicate.describe("have a source file", some -> Files.exists(SOURCES.resolve(file(some)))));


    @Test
    void roomsUseExactlyTheRoomsNamedInTheTable() throws IOException {
        SortedMap<String, SortedSet<String>> uses = new TreeMap<>();
        for (JavaClass user : CLASSES) {
            room(user).ifPresent(room -> uses.computeIfAbsent(room, _ -> new TreeSet<>()));
            for (Dependency dependency : user.getDirectDependenciesFromSelf()) {
                room(user).ifPresent(from -> room(dependency.getTargetClass())
                        .filter(to -> !to.equals(from))
                        .ifPresent(to -> uses.get(from).add(to)));
            }
        }
        assertThat(uses).isEqualTo(table());
    }

    @Test
    void noRoomUsesTheClassesThatPutTheRoomsTogether() {
        assertThat(CLASSES.stream()
                .filter(user -> room(user).isPresent())
                .flatMap(user -> user.getDirectDependenciesFromSelf().stream())
                .filter(dependency -> dependency.getTargetClass().getPackageName().equals(PROGRAM))
                .map(Dependency::getDescription)).isEmpty();
    }

    @Test
    void filesFormNoCircleButTheKnownOnes() {
        assertThat(circles(dependencies())).isEqualTo(KNOWN_CIRCLES);
    }

    /** The wall clock steps, at boot and when it is set, so that whatever lasts a time is measured by the monotonic one. */
    @Test
    void onlyTheNamedClassesReadTheWallClock() {
        assertThat(CLASSES.stream()
                .filter(reader -> reader.getMethodCallsFromSelf().stream().anyMatch(ArchitectureTest::readsWallClock))
                .map(ArchitectureTest::file)
                .collect(Collectors.toSet())).isEqualTo(WALL_CLOCK_READERS);
    }

    private static boolean readsWallClock(JavaMethodCall call) {
        String method = call.getTargetOwner().getFullName() + "." + call.getName();
        return method.equals("java.lang.System.currentTimeMillis")
                || method.startsWith("java.time.") && (method.endsWith(".now") || method.contains(".Clock.system"));
    }

    /** Returns the rooms in ARCHITECTURE.md's table, each with those that it uses. */
    private static SortedMap<String, SortedSet<String>> table() throws IOException {
        SortedMap<String, SortedSet<String>> table = new TreeMap<>();
        Matcher rows = ROW.matcher(Files.readString(Path.of("ARCHITECTURE.md")));
        while (rows.find()) {
            table.put(rows.group(1), NAME.matcher(rows.group(2)).results()
                    .map(name -> name.group(1))
                    .collect(Collectors.toCollection(TreeSet::new)));
        }
        return table;
    }

    /** Returns the package below the program's, with whatever is below that; none for the program's own classes. */
    private static Optional<String> room(JavaClass some) {
        String prefix = PROGRAM + ".";
        return some.getPackageName().startsWith(prefix)
                ? Optional.of(some.getPackageName().substring(prefix.length()).split("\\.")[0])
                : Optional.empty();
    }

    /** Returns every source file of the program, each with those that its classes depend on. */
    private static Map<String, Set<String>> dependencies() {
        return CLASSES.stream().collect(Collectors.groupingBy(ArchitectureTest::file, TreeMap::new, Collectors.flatMapping(
                user -> user.getDirectDependenciesFromSelf().stream()
                        .map(Dependency::getTargetClass)
                        .filter(target -> CLASSES.contain(target.getName()))
                        .map(ArchitectureTest::file),
                Collectors.toCollection(TreeSet::new))));
    }

    /** Returns the source file that a class is in, below the program's folder. */
    private static String file(JavaClass some) {
        String name = some.getSource().flatMap(Source::getFileName).orElseThrow();
        return (some.getPackageName() + ".").substring(PROGRAM.length() + 1).replace('.', '/') + name;
    }

    /** Returns the largest sets of files that all depend on each other, directly or through others. */
    private static Set<Set<String>> circles(Map<String, Set<String>> dependencies) {
        Map<String, Set<String>> reached = new TreeMap<>();
        dependencies.keySet().forEach(file -> reached.put(file, reached(file, dependencies)));
        return reached.entrySet().stream()
                .map(from -> from.getValue().stream()
                        .filter(to -> reached.get(to).contains(from.getKey()))
                        .collect(Collectors.toCollection(TreeSet::new)))
                .filter(circle -> circle.size() > 1)
                .collect(Collectors.toSet());
    }

    private static Set<String> reached(String file, Map<String, Set<String>> dependencies) {
        Set<String> reached = new HashSet<>();
        Deque<String> next = new ArrayDeque<>(List.of(file));
        while (!next.isEmpty()) {
            dependencies.get(next.pop()).stream().filter(reached::add).forEach(next::push);
        }
        return reached;
    }
}
