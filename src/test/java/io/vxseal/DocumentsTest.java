package io.vxseal;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.vxseal.overlay.watch.Condition;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The documents against each other and against what they describe. */
class DocumentsTest {
    private static final Path README = Path.of("README.md");
    private static final Path FOLDER = Path.of("docs");

    /** A block of code between fences. */
    private static final Pattern FENCED = Pattern.compile("^```.*?^```", Pattern.MULTILINE | Pattern.DOTALL);

    /** A link or a picture, whose text may go over the end of a line. */
    private static final Pattern LINK = Pattern.compile("\\[[^\\]]*\\]\\(([^)\\s]+)\\)");

    private static final Pattern HEADING = Pattern.compile("^#+ (.*)$", Pattern.MULTILINE);

    /** The first cell of a row of a table, with a name in it. */
    private static final Pattern NAMED_ROW = Pattern.compile("^\\| `([^`]+)` \\|", Pattern.MULTILINE);

    /** A text in a picture that Graphviz drew. */
    private static final Pattern DRAWN_TEXT = Pattern.compile("<(?:text|title)[^>]*>([^<]*)</");

    /** A test that a document names, by its class or as Class.method. */
    private static final Pattern CITED_TEST = Pattern.compile("`(?:[\\w/]+/)?(\\w+Test)(?:\\.(\\w+))?`");

    private static List<Path> documents() throws IOException {
        List<Path> documents = new ArrayList<>();
        for (Path folder : List.of(Path.of(""), FOLDER, Path.of("test-e2e"))) {
            try (Stream<Path> files = Files.list(folder)) {
                files.filter(file -> file.toString().endsWith(".md")).forEach(documents::add);
            }
        }
        return documents;
    }

    private static String text(Path document) throws IOException {
        return FENCED.matcher(Files.readString(document)).replaceAll("");
    }

    private static List<String> all(Pattern pattern, String text) {
        return pattern.matcher(text).results().map(match -> match.group(1)).toList();
    }

    /** Returns the names by which links lead to a document's headings, as GitHub makes them. */
    private static Set<String> anchors(Path document) throws IOException {
        Set<String> anchors = new LinkedHashSet<>();
        for (String heading : all(HEADING, text(document))) {
            anchors.add(heading.toLowerCase(Locale.ROOT).replaceAll("[^\\p{L}\\p{N} _-]", "").replace(' ', '-'));
        }
        return anchors;
    }

    @Test
    void everyLinkLeadsToAnExistingFileAndHeading() throws IOException {
        List<String> links = new ArrayList<>();
        List<String> broken = new ArrayList<>();
        for (Path document : documents()) {
            for (String link : all(LINK, text(document))) {
                if (link.matches("https?:.*")) {
                    continue;
                }
                links.add(link);
                String[] parts = link.split("#", 2);
                Path target = parts[0].isEmpty() ? document : document.resolveSibling(parts[0]).normalize();
                if (!Files.exists(target) || parts.length > 1 && !anchors(target).contains(parts[1])) {
                    broken.add(document + ": " + link);
                }
            }
        }
        assertThat(links).hasSizeGreaterThan(50);
        assertThat(broken).isEmpty();
    }

    /** Returns the sources of all tests, by the name of their class. */
    private static Map<String, String> tests() throws IOException {
        Map<String, String> sources = new HashMap<>();
        for (Path folder : List.of(Path.of("src/test/java"), Path.of("test-e2e/src/test/java"))) {
            try (Stream<Path> files = Files.walk(folder)) {
                for (Path file : files.filter(each -> each.toString().endsWith("Test.java")).toList()) {
                    sources.put(file.getFileName().toString().replace(".java", ""), Files.readString(file));
                }
            }
        }
        return sources;
    }

    /** Returns those of the tests that a text names which are not among the sources. */
    private static List<String> missing(String text, Map<String, String> sources) {
        return CITED_TEST.matcher(text).results()
                .filter(cited -> {
                    String source = sources.get(cited.group(1));
                    return source == null || cited.group(2) != null && !source.contains("void " + cited.group(2) + "(");
                })
                .map(MatchResult::group)
                .toList();
    }

    @Test
    void everyTestThatIsCitedExists() throws IOException {
        Map<String, String> sources = tests();
        int cited = 0;
        for (Path document : documents()) {
            String text = text(document);
            cited += all(CITED_TEST, text).size();
            assertThat(missing(text, sources)).as(document.toString()).isEmpty();
        }
        assertThat(cited).isGreaterThan(100);
    }

    @Test
    void citationOfMissingTestIsFound() throws IOException {
        assertThat(missing("`LostTest`, `DocumentsTest.isLost`, `SpiTest.` and `ring/LostTest.is`", tests()))
                .containsExactly("`LostTest`", "`DocumentsTest.isLost`", "`ring/LostTest.is`");
    }

    @Test
    void readmeLinksEveryDocument() throws IOException {
        Set<Path> linked = all(LINK, text(README)).stream()
                .map(link -> Path.of(link.split("#", 2)[0]))
                .collect(Collectors.toCollection(TreeSet::new));
        linked.add(README);
        assertThat(linked).containsAll(documents());
    }

    @Test
    void readmeHasTheSettingsOfThePlugin() throws IOException {
        JsonNode config = new ObjectMapper().readTree(Path.of("config.json").toFile());
        Set<String> settable = new TreeSet<>();
        config.path("env").forEach(each -> {
            if (each.has("settable")) settable.add(each.path("name").asText());
        });
        config.path("mounts").forEach(each -> each.path("settable")
                .forEach(field -> settable.add(each.path("name").asText() + "." + field.asText())));
        String readme = text(README);
        String settings = readme.substring(readme.indexOf("Settings of the plugin"), readme.indexOf("## Documents"));
        assertThat(new TreeSet<>(all(NAMED_ROW, settings))).isEqualTo(settable);
    }

    @Test
    void everyConditionIsExplained() throws IOException {
        Set<String> kinds = Stream.of(Condition.Kind.values()).map(Condition.Kind::id).collect(Collectors.toSet());
        for (String document : List.of("monitor.md", "troubleshoot.md")) {
            assertThat(all(NAMED_ROW, text(FOLDER.resolve(document)))).as(document).containsAll(kinds);
        }
    }

    private static String digest(Path file) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file)));
    }

    private static List<Path> sourcesOfPictures() throws IOException {
        try (Stream<Path> files = Files.list(FOLDER)) {
            List<Path> sources = files.filter(file -> file.toString().endsWith(".dot")).toList();
            assertThat(sources).isNotEmpty();
            return sources;
        }
    }

    private static Path picture(Path source) {
        return Path.of(source.toString().replaceFirst("dot$", "svg"));
    }

    @Test
    void everyPictureIsMadeOfItsPresentSource() throws Exception {
        for (Path source : sourcesOfPictures()) {
            assertThat(picture(source)).as("docs/pictures makes it").content()
                    .contains("<!-- " + source.getFileName() + " " + digest(source) + " -->");
        }
    }

    @Test
    void everyPictureSaysWhatGraphvizDraws() throws Exception {
        for (Path source : sourcesOfPictures()) {
            Process dot = new ProcessBuilder("dot", "-Tsvg", source.toString()).start();
            String drawn = new String(dot.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertThat(dot.waitFor()).isZero();
            assertThat(all(DRAWN_TEXT, drawn)).hasSizeGreaterThan(10)
                    .containsExactlyInAnyOrderElementsOf(all(DRAWN_TEXT, Files.readString(picture(source))));
        }
    }

    @Test
    void screenshotsShowThePresentPage() throws Exception {
        List<String> page = new ArrayList<>();
        try (Stream<Path> files = Files.list(Path.of("src/main/resources/io/vxseal/page"))) {
            for (Path file : files.toList()) {
                page.add(digest(file) + "  " + file.getFileName());
            }
        }
        assertThat(Files.readAllLines(FOLDER.resolve("page.sha256"))).as("docs/pictures takes them").containsExactlyInAnyOrderElementsOf(page);
    }
}
