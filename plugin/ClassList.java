import java.io.IOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.constantpool.ClassEntry;
import java.lang.classfile.constantpool.InvokeDynamicEntry;
import java.lang.classfile.constantpool.MemberRefEntry;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * A class list for {@code -XX:SharedClassListFile} that repeats. What a run of the program lists (-XX:DumpLoadedClassList) comes in
 * the order of its threads, and names the constants that each class happened to resolve. This one is sorted, and names of every
 * class all references that the archive can hold resolved; of call sites, those that the run linked, because each takes a class.
 *
 * <p>{@code ClassList LIST} prints it. Runs on the image's own runtime, with the program's jar on the class path, so that it reads
 * the classes that are archived.
 */
class ClassList {

  static void main(String[] arguments) throws IOException {
    var classes = new TreeSet<String>();
    var lambdas = new TreeSet<String>();
    var resolved = new HashMap<String, Set<String>>();
    for (var line : Files.readAllLines(Path.of(arguments[0]))) {
      var words = line.split(" ");
      if (words[0].equals("@cp")) {
        resolved.put(words[1], Set.of(words));
      } else if (line.startsWith("@")) {
        lambdas.add(line);
      } else if (!line.startsWith("#")) {
        classes.add(words[0]);
      }
    }
    var list = new StringBuilder();
    classes.forEach(name -> list.append(name).append('\n'));
    lambdas.forEach(line -> list.append(line).append('\n'));
    for (var name : classes) list.append(constants(name, resolved));
    System.out.print(list);
  }

  private static String constants(String name, Map<String, Set<String>> resolved) throws IOException {
    try (var octets = ClassLoader.getSystemResourceAsStream(name + ".class")) {
      if (octets == null) return "";
      var linked = resolved.getOrDefault(name, Set.of());
      var indices = new TreeSet<Integer>();
      for (var entry : ClassFile.of().parse(octets.readAllBytes()).constantPool()) {
        var archived = switch (entry) {
          case ClassEntry _, MemberRefEntry _ -> true;
          case InvokeDynamicEntry site -> linked.contains(String.valueOf(site.index()));
          default -> false;
        };
        if (archived) indices.add(entry.index());
      }
      if (indices.isEmpty()) return "";
      return indices.stream().map(String::valueOf).collect(Collectors.joining(" ", "@cp " + name + " ", "\n"));
    }
  }
}
