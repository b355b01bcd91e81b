import java.io.BufferedOutputStream;
import java.io.IOException;
import java.lang.classfile.Annotation;
import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassElement;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassHierarchyResolver;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.FieldTransform;
import java.lang.classfile.MethodTransform;
import java.lang.classfile.attribute.ExceptionsAttribute;
import java.lang.classfile.attribute.RuntimeInvisibleAnnotationsAttribute;
import java.lang.classfile.attribute.RuntimeInvisibleParameterAnnotationsAttribute;
import java.lang.classfile.attribute.RuntimeVisibleAnnotationsAttribute;
import java.lang.classfile.attribute.SignatureAttribute;
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
 * types' parameters, what Kotlin says of its classes), as jlink does with the JDK's own classes. Our classes keep all. It is a
 * tenth of the jar, of the class data archive and of the memory that both take. And all of it is made {@link Plain}.
 */
final class Slim {
    private static final String OURS = "io/vxseal/";
    private static final ClassDesc KOTLIN = ClassDesc.of("kotlin.Metadata");

    private static final ClassTransform UNREAD = ClassTransform.dropping(Slim::isUnread)
            .andThen(Slim::withoutKotlin)
            .andThen(ClassTransform.transformingMethods(MethodTransform.dropping(Slim::isUnread)))
            .andThen(ClassTransform.transformingFields(FieldTransform.dropping(Slim::isUnread)));

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
                written.setTimeLocal(java.time.LocalDateTime.of(2026, 1, 1, 0, 0)); // ProGuard writes the time of the build
                out.putNextEntry(written);
                if (!entry.getName().endsWith(".class")) {
                    out.write(octets);
                } else if (entry.getName().startsWith(OURS)) {
                    out.write(write(ours, entry.getName(), octets, ClassTransform.ACCEPT_ALL));
                } else {
                    out.write(write(libraries, entry.getName(), octets, UNREAD));
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

    /** What nothing reads at run time: annotations for compilers, declared exceptions, and types' parameters. */
    private static boolean isUnread(Object element) {
        return element instanceof RuntimeInvisibleAnnotationsAttribute
                || element instanceof RuntimeInvisibleParameterAnnotationsAttribute
                || element instanceof ExceptionsAttribute
                || element instanceof SignatureAttribute
                || element instanceof SourceDebugExtensionAttribute;
    }

    private static void withoutKotlin(ClassBuilder to, ClassElement element) {
        if (element instanceof RuntimeVisibleAnnotationsAttribute annotations) {
            List<Annotation> rest = annotations.annotations().stream().filter(one -> !one.classSymbol().equals(KOTLIN)).toList();
            if (!rest.isEmpty()) {
                to.with(RuntimeVisibleAnnotationsAttribute.of(rest));
            }
        } else {
            to.with(element);
        }
    }
}
