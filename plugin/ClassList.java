import java.io.IOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.constantpool.ClassEntry;
import java.lang.classfile.constantpool.InvokeDynamicEntry;
import java.lang.classfile.constantpool.MemberRefEntry;
import java.lang.classfile.constantpool.MethodHandleEntry;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * The list of classes for the class data archive ({@code -XX:SharedClassListFile}), in a form that is kept in the tree and holds across
 * builds. A run of the program lists its classes (-XX:DumpLoadedClassList) in the order of its threads, and with numbers of
 * constants, which differ with each change of a class. The form that is kept is sorted, and names call sites by what they call.
 *
 * <ul>
 *   <li>{@code ClassList --record RUN} prints the form that is kept of a run's list.
 *   <li>{@code ClassList KEPT} prints the JVM's form of a list that was kept, for the classes as they are now. It names all
 *       references that the archive can hold resolved; of call sites, those that the run linked, because each takes a class.
 * </ul>
 *
 * <p>Runs on the image's own runtime, with the program's jar on the class path, so that it reads the classes that are archived.
 */
class ClassList {
  /** A call site that the run linked: the class, then what {@link #site} makes of it. */
  private static final String SITE = "@site";

  static void main(String[] arguments) throws IOException {
    if (arguments[0].equals("--record")) {
      record(Path.of(arguments[1]));
    } else {
      resolve(Path.of(arguments[0]));
    }
  }

  private static void record(Path run) throws IOException {
    var lines = new TreeSet<String>();
    var resolved = new HashMap<String, Set<String>>();
    for (var line : Files.readAllLines(run)) {
      var words = line.split(" ");
      if (words[0].equals("@cp")) {
        resolved.put(words[1], Set.of(words));
      } else if (line.startsWith("@")) {
        lines.add(line);
      } else if (!line.startsWith("#")) {
        lines.add(words[0]);
      }
    }
    for (var entry : resolved.entrySet()) {
      var octets = octets(entry.getKey());
      if (octets.length == 0) continue;
      for (var constant : ClassFile.of().parse(octets).constantPool()) {
        if (constant instanceof InvokeDynamicEntry site && entry.getValue().contains(String.valueOf(site.index()))) {
          lines.add(SITE + " " + entry.getKey() + " " + site(site));
        }
      }
    }
    print(lines);
  }

  private static void resolve(Path kept) throws IOException {
    var classes = new TreeSet<String>();
    var list = new TreeSet<String>();
    var linked = new HashMap<String, Set<String>>();
    for (var line : Files.readAllLines(kept)) {
      var words = line.split(" ", 3);
      if (words[0].equals(SITE)) {
        linked.computeIfAbsent(words[1], _ -> new HashSet<>()).add(words[2]);
      } else if (line.startsWith("@")) {
        list.add(line);
      } else {
        classes.add(line);
      }
    }
    print(classes);
    print(list);
    for (var name : classes) System.out.print(constants(name, linked));
  }

  private static void print(Set<String> lines) {
    lines.forEach(System.out::println);
  }

  private static String constants(String name, Map<String, Set<String>> linked) throws IOException {
    var octets = octets(name);
    if (octets.length == 0) return "";
    var sites = linked.getOrDefault(name, Set.of());
    var indices = new TreeSet<Integer>();
    for (var entry : ClassFile.of().parse(octets).constantPool()) {
      var archived = switch (entry) {
        case ClassEntry _, MemberRefEntry _ -> true;
        case InvokeDynamicEntry site -> sites.contains(site(site));
        default -> false;
      };
      if (archived) indices.add(entry.index());
    }
    if (indices.isEmpty()) return "";
    return indices.stream().map(String::valueOf).collect(Collectors.joining(" ", "@cp " + name + " ", "\n"));
  }

  /** Returns the name and type of a call site, and the methods that it is bootstrapped with. */
  private static String site(InvokeDynamicEntry site) {
    return site.name().stringValue() + site.type().stringValue()
        + site.bootstrap().arguments().stream()
            .filter(MethodHandleEntry.class::isInstance)
            .map(handle -> ((MethodHandleEntry) handle).reference())
            .map(method -> " " + method.owner().asInternalName() + "." + method.name().stringValue() + method.type().stringValue())
            .collect(Collectors.joining());
  }

  private static byte[] octets(String name) throws IOException {
    try (var octets = ClassLoader.getSystemResourceAsStream(name + ".class")) {
      return octets == null ? new byte[0] : octets.readAllBytes();
    }
  }
}
