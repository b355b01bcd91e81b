import java.io.BufferedOutputStream;
import java.io.IOException;
import java.lang.classfile.Annotation;
import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassElement;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassHierarchyResolver;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.attribute.RuntimeVisibleAnnotationsAttribute;
import java.lang.classfile.attribute.SourceDebugExtensionAttribute;
import java.lang.constant.ClassDesc;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.jar.JarOutputStream;

/**
 * Writes a jar anew, its libraries without what only debuggers and other compilers read (line numbers, names of variables,
 * what Kotlin says of its classes), as jlink does with the JDK's own classes. Our classes keep all. It is a tenth of the
 * jar, of the class data archive and of the memory that both take. And all of it is made {@link Plain}.
 */
final class Slim {
    private static final String OURS = "io/vxseal/";
    private static final ClassDesc KOTLIN = ClassDesc.of("kotlin.Metadata");

    private Slim() { }

    /** @param words the jar, the jar to write */
    static void main(String[] words) throws IOException {
        Path from = Path.of(words[0]);
        try (URLClassLoader classes = new URLClassLoader(new URL[] {from.toUri().toURL()}, ClassLoader.getPlatformClassLoader());
                JarFile in = new JarFile(from.toFile());
                JarOutputStream out = new JarOutputStream(new BufferedOutputStream(Files.newOutputStream(Path.of(words[1]))))) {
            out.setLevel(9);
            // Frames are computed anew, for which the classes have to be known.
            ClassFile ours = ClassFile.of(
                    ClassFile.ClassHierarchyResolverOption.of(ClassHierarchyResolver.ofResourceParsing(classes).cached()));
            ClassFile libraries = ours.withOptions(ClassFile.DebugElementsOption.DROP_DEBUG,
                    ClassFile.LineNumbersOption.DROP_LINE_NUMBERS, ClassFile.ConstantPoolSharingOption.NEW_POOL);
            for (JarEntry entry : Collections.list(in.entries())) {
                if (entry.isDirectory()) {
                    continue;
                }
                byte[] octets = in.getInputStream(entry).readAllBytes();
                JarEntry written = new JarEntry(entry.getName());
                written.setTimeLocal(entry.getTimeLocal());
                out.putNextEntry(written);
                if (!entry.getName().endsWith(".class")) {
                    out.write(octets);
                } else if (entry.getName().startsWith(OURS)) {
                    out.write(write(ours, entry.getName(), octets, ClassTransform.ACCEPT_ALL));
                } else {
                    out.write(write(libraries, entry.getName(), octets, Slim::keep));
                }
                out.closeEntry();
            }
        }
    }

    private static byte[] write(ClassFile classFile, String name, byte[] octets, ClassTransform elements) {
        try {
            return classFile.transformClass(classFile.parse(octets),
                    elements.andThen(ClassTransform.transformingMethodBodies(new Plain())));
        } catch (IllegalArgumentException e) {
            // Of a superclass that is not there: a class that nothing can load.
            System.err.printf("slim: %s stays as it is: %s%n", name, e.getMessage());
            return octets;
        }
    }

    private static void keep(ClassBuilder to, ClassElement element) {
        switch (element) {
            case SourceDebugExtensionAttribute lines -> { }
            case RuntimeVisibleAnnotationsAttribute annotations -> {
                List<Annotation> rest = annotations.annotations().stream().filter(one -> !one.classSymbol().equals(KOTLIN)).toList();
                if (!rest.isEmpty()) {
                    to.with(RuntimeVisibleAnnotationsAttribute.of(rest));
                }
            }
            default -> to.with(element);
        }
    }
}
