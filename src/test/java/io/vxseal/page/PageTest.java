package io.vxseal.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.vxseal.journal.Event;
import io.vxseal.metrics.MetricsServer;
import io.vxseal.metrics.Recent;
import io.vxseal.overlay.watch.Condition;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The page in a real browser. Its pictures are in {@code target/page}. */
@Timeout(150)
class PageTest {
    static final Path PICTURES = Path.of("target", "page");

    private static final int WIDE = 1280;
    private static final int PHONE = 390;

    @TempDir
    private static Path folder;

    private static Chromium chromium;

    private final List<AutoCloseable> open = new ArrayList<>();

    @BeforeAll
    static void startBrowser() throws Exception {
        chromium = Chromium.start(folder);
    }

    @AfterAll
    static void endBrowser() {
        chromium.close();
    }

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable each : open.reversed()) {
            each.close();
        }
    }

    private MetricsServer serve(SampleSwarm swarm) throws Exception {
        MetricsServer server = MetricsServer.start(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                () -> new byte[] {'\n'}, new PageHandler(new Recent(swarm::state), swarm.journal));
        open.add(server);
        return server;
    }

    private Chromium.Tab show(MetricsServer server, int width, boolean dark) throws Exception {
        Chromium.Tab tab = chromium.open("http://127.0.0.1:%d/".formatted(server.port()), width, 900, dark);
        open.add(tab);
        await("the node's state").atMost(Duration.ofSeconds(30)).until(() -> tab.text("#connection").contains("Live"));
        return tab;
    }

    private static void awaitText(Chromium.Tab tab, String selector, String words) {
        await(selector + " has " + words).atMost(Duration.ofSeconds(20)).until(() -> tab.text(selector).contains(words));
    }

    /** Returns what axe-core finds wrong for people with disabilities, by WCAG 2.2 at level AA and its own best practices. */
    static List<String> violations(Chromium.Tab tab) throws Exception {
        try (InputStream axe = Objects.requireNonNull(PageTest.class.getResourceAsStream("/axe.min.js"))) {
            tab.evaluate(new String(axe.readAllBytes(), StandardCharsets.UTF_8) + "; undefined");
        }
        JsonNode result = tab.evaluate("axe.run().then(result => ({passes: result.passes.map(rule => rule.id),"
                + " violations: result.violations.concat(result.incomplete).map(rule => rule.id + ': '"
                + " + rule.nodes.map(node => node.html + ' ' + node.failureSummary).join('\\n'))}))");
        assertThat(result.path("passes")).extracting(JsonNode::asText)
                .contains("color-contrast", "landmark-one-main", "page-has-heading-one", "html-has-lang", "list", "aria-allowed-role");
        List<String> violations = new ArrayList<>();
        result.path("violations").forEach(rule -> violations.add(rule.asText()));
        return violations;
    }

    @ParameterizedTest
    @CsvSource({"1280, false, healthy", "1280, true, healthy-dark", "390, false, healthy-phone", "390, true, healthy-phone-dark"})
    void healthySwarmIsLegibleInEachWidthAndColour(int width, boolean dark, String picture) throws Exception {
        SampleSwarm swarm = new SampleSwarm(9);
        MetricsServer server = serve(swarm);
        Chromium.Tab tab = show(server, width, dark);
        swarm.sealed.addAndGet(500_000);
        awaitText(tab, "#paths tbody", "KiB/s");

        tab.screenshot(PICTURES.resolve(picture + ".webp"));
        assertThat(tab.evaluate("document.documentElement.scrollWidth").asInt()).as("no scrolling to the side").isEqualTo(width);
        assertThat(violations(tab)).isEmpty();
        assertThat(tab.complaints()).isEmpty();
        assertThat(tab.requests()).isNotEmpty().allMatch(url -> url.startsWith("http://127.0.0.1:%d/".formatted(server.port())));
    }

    @Test
    void showsPathsNetworksKeysServicesEventsAndErrors() throws Exception {
        SampleSwarm swarm = new SampleSwarm(9);
        Chromium.Tab tab = show(serve(swarm), WIDE, false);
        assertThat(tab.text("h1")).startsWith("vxseal on node 00000");
        assertThat(tab.text("#verdict")).isEqualTo("✓ No trouble on this node");
        assertThat(tab.evaluate("document.querySelectorAll('#paths tbody tr').length").asInt()).isEqualTo(9);
        assertThat(tab.text("#paths tbody tr:nth-child(1)")).contains("this node", "manager", "10.20.0.11");
        assertThat(tab.text("#paths tbody tr:nth-child(2)")).contains("manager", "10.20.0.12", "✓ sealed", "3 h 37 min", "1.2 MiB in all");
        assertThat(tab.text("#paths tbody")).contains("nothing to seal");
        assertThat(tab.text("#networks tbody")).contains("✓ encrypted", "not encrypted", "not used here", "10.0.1.0/24");
        assertThat(tab.text("#ring")).matches("Ring 12, made 3 h 0 min ago by node 00001\\S+ Next rotation: in (9 h 0|8 h 59) min\\.");
        assertThat(tab.text("#keys tbody")).contains("1041", "sending and receiving", "15 h 0 min");
        assertThat(tab.text("#services tbody")).contains("shop_web", "10.0.1.9", "shop_db");
        assertThat(tab.text("#timeline li")).contains("Repaired", "repaired 4 IPsec states");
        assertThat(tab.text("#errors tbody")).contains("/NetworkDriver.Join", "this node's address is not known yet");
        assertThat(tab.text("#facts")).contains("nftables", "✓ 28, as wanted", "2 coming in, 0 going out", "XfrmInNoStates 3");
        assertThat(tab.text("#summary")).contains("Dropped in clear\n2", "Repairs\n4", "Networks up here\n1 of 2");
    }

    @Test
    void troubleAppearsIsAnnouncedAndEndsWithoutReload() throws Exception {
        SampleSwarm swarm = new SampleSwarm(9);
        Chromium.Tab tab = show(serve(swarm), WIDE, false);
        tab.evaluate("window.sameDocument = true");
        swarm.conditions = List.of(SampleSwarm.silence(14));
        swarm.journal.add(Event.Kind.CONDITION_BEGAN, SampleSwarm.text(14), SampleSwarm.silence(14).text());

        awaitText(tab, "#verdict", "▲ Trouble on this node: 1 condition");
        assertThat(tab.text("#conditions")).contains("node 10.20.0.14: packets are sealed for it and none comes back", "for 1 min");
        assertThat(tab.text("#timeline li")).contains("▲ Trouble began");
        assertThat(tab.text("#paths tbody tr:nth-child(2)")).contains("10.20.0.14", "▲ nothing comes back");
        assertThat(tab.evaluate("document.title").asText()).startsWith("▲ 1 · vxseal");
        assertThat(tab.evaluate("document.getElementById('announcement').textContent").asText()).startsWith("Trouble began: node 10.20.0.14");
        assertThat(tab.accessibilityTree()).anyMatch(node -> node.startsWith("status"));
        assertThat(violations(tab)).isEmpty();

        swarm.conditions = List.of();
        swarm.journal.add(Event.Kind.CONDITION_ENDED, SampleSwarm.text(14), "over");
        awaitText(tab, "#verdict", "✓ No trouble on this node");
        assertThat(tab.evaluate("document.getElementById('announcement').textContent").asText()).startsWith("Trouble over: node 10.20.0.14");
        assertThat(tab.evaluate("window.sameDocument").asBoolean()).isTrue();
    }

    @ParameterizedTest
    @CsvSource({"1280", "390"})
    void screenReaderFindsLandmarksHeadingsAndTables(int width) throws Exception {
        Chromium.Tab tab = show(serve(new SampleSwarm(9)), width, false);
        List<String> tree = tab.accessibilityTree();
        assertThat(tree).contains("banner ", "navigation Sections", "main ", "contentinfo ", "region Nodes and the sealed paths to them",
                "heading Trouble", "heading Keys and their rotation", "columnheader Path", "columnheader Used for", "list Events");
        assertThat(tree).anyMatch(node -> node.startsWith("table One row for each node"))
                .anyMatch(node -> node.startsWith("rowheader 00001"))
                .anyMatch(node -> node.startsWith("row "))
                .anyMatch(node -> node.startsWith("cell ✓ sealed"));
        assertThat(tab.evaluate("[...document.querySelectorAll('table')].every(table => table.caption"
                + " && [...table.querySelectorAll('th')].every(header => header.scope))").asBoolean()).isTrue();
    }

    @Test
    void markupInNamesIsShownAsText() throws Exception {
        SampleSwarm swarm = new SampleSwarm(3);
        swarm.service = SampleSwarm.HOSTILE;
        swarm.conditions = List.of(new Condition(Condition.Kind.OBSTACLE, SampleSwarm.HOSTILE, SampleSwarm.HOSTILE, Instant.now()));
        swarm.journal.add(Event.Kind.ERROR, SampleSwarm.HOSTILE, SampleSwarm.HOSTILE);
        Chromium.Tab tab = show(serve(swarm), PHONE, false);
        for (String place : List.of("#services tbody", "#conditions", "#timeline")) {
            assertThat(tab.text(place)).contains(SampleSwarm.HOSTILE);
        }
        assertThat(tab.evaluate("document.querySelectorAll('img, body script').length").asInt()).isZero();
        assertThat(tab.evaluate("document.title").asText()).startsWith("▲ 1 · vxseal");
        assertThat(tab.evaluate("document.documentElement.scrollWidth").asInt()).isEqualTo(PHONE);
        assertThat(tab.complaints()).isEmpty();
    }

    @Test
    void largeSwarmIsCutAndKeepsWhatHasTrouble() throws Exception {
        SampleSwarm swarm = new SampleSwarm(1000);
        swarm.conditions = List.of(SampleSwarm.silence(900));
        Chromium.Tab tab = show(serve(swarm), WIDE, false);
        assertThat(tab.evaluate("document.querySelectorAll('#paths tbody tr').length").asInt()).isEqualTo(200);
        assertThat(tab.text("#paths table ~ .note")).isEqualTo("800 more are not shown.");
        assertThat(tab.text("#paths tbody tr:nth-child(2)")).contains(SampleSwarm.text(900), "▲ nothing comes back");
        assertThat(swarm.state()).hasSizeLessThan(100_000);
    }

    @Test
    void olderEventsAreShownOnRequest() throws Exception {
        SampleSwarm swarm = new SampleSwarm(2);
        for (int i = 1; i <= 100; i++) {
            swarm.journal.add(Event.Kind.REPAIRED, "", "repair " + i);
        }
        Chromium.Tab tab = show(serve(swarm), WIDE, false);
        assertThat(tab.evaluate("document.querySelectorAll('#timeline li').length").asInt()).isEqualTo(40);
        assertThat(tab.text("#timeline li")).contains("repair 100");
        tab.evaluate("document.getElementById('older').click()");
        assertThat(tab.evaluate("document.querySelectorAll('#timeline li').length").asInt()).isEqualTo(106);
        assertThat(tab.evaluate("document.getElementById('older').hidden").asBoolean()).isTrue();
    }

    @Test
    void lostConnectionIsShownAndReturns() throws Exception {
        SampleSwarm swarm = new SampleSwarm(3);
        MetricsServer server = serve(swarm);
        int port = server.port();
        Chromium.Tab tab = show(server, WIDE, false);
        server.close();
        awaitText(tab, "#connection", "▲ No connection to the node");
        open.add(MetricsServer.start(new InetSocketAddress(InetAddress.getLoopbackAddress(), port),
                () -> new byte[] {'\n'}, new PageHandler(new Recent(swarm::state), swarm.journal)));
        await("live again").atMost(Duration.ofSeconds(60)).until(() -> tab.text("#connection").contains("Live"));
    }
}
