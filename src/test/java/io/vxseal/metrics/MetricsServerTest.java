package io.vxseal.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class MetricsServerTest {
    private static final byte[] TEXT = "vxseal_hubs 1\n".getBytes(StandardCharsets.UTF_8);

    private static MetricsServer start(Callable<byte[]> scrape) throws IOException {
        return MetricsServer.start(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), scrape);
    }

    private static HttpResponse<String> ask(MetricsServer server, String method, String path) throws Exception {
        URI uri = URI.create("http://127.0.0.1:%d%s".formatted(server.port(), path));
        try (HttpClient client = HttpClient.newHttpClient()) {
            return client.send(HttpRequest.newBuilder(uri).method(method, BodyPublishers.noBody()).build(), BodyHandlers.ofString());
        }
    }

    @Test
    void servesTextFormatAtMetrics() throws Exception {
        try (MetricsServer server = start(() -> TEXT)) {
            HttpResponse<String> answer = ask(server, "GET", "/metrics");
            assertThat(answer.statusCode()).isEqualTo(200);
            assertThat(answer.body()).isEqualTo("vxseal_hubs 1\n");
            assertThat(answer.headers().firstValue("Content-Type")).hasValue("text/plain; version=0.0.4; charset=utf-8");
        }
    }

    @Test
    void servesNothingOfThePluginsSocket() throws Exception {
        try (MetricsServer server = start(() -> TEXT)) {
            for (String path : new String[] {"/", "/status", "/keys/rotate", "/NetworkDriver.Join", "/metrics/", "/metricsx"}) {
                for (String method : new String[] {"GET", "POST"}) {
                    assertThat(ask(server, method, path).statusCode()).as(method + " " + path).isEqualTo(404);
                }
            }
            HttpResponse<String> posted = ask(server, "POST", "/metrics");
            assertThat(posted.statusCode()).isEqualTo(405);
            assertThat(posted.headers().firstValue("Allow")).hasValue("GET, HEAD");
        }
    }

    @Test
    void readsKernelOnceForScrapesInQuickSuccession() throws Exception {
        AtomicInteger scrapes = new AtomicInteger();
        try (MetricsServer server = start(() -> {
            scrapes.incrementAndGet();
            return TEXT;
        })) {
            for (int i = 0; i < 5; i++) {
                ask(server, "GET", "/metrics");
            }
            int quick = scrapes.get();
            Thread.sleep(1100);
            ask(server, "GET", "/metrics");
            assertThat(scrapes.get()).isEqualTo(quick + 1);
            assertThat(quick).isLessThan(5);
        }
    }

    @Test
    void answersFailureWith500AndContinues() throws Exception {
        AtomicInteger scrapes = new AtomicInteger();
        try (MetricsServer server = start(() -> {
            if (scrapes.incrementAndGet() == 1) {
                throw new StackOverflowError("deep");
            }
            return TEXT;
        })) {
            assertThat(ask(server, "GET", "/metrics").statusCode()).isEqualTo(500);
            assertThat(ask(server, "GET", "/metrics").statusCode()).isEqualTo(200);
        }
    }

    @Test
    void reportsTakenPort() throws Exception {
        try (ServerSocket taken = new ServerSocket(0)) {
            assertThatThrownBy(() -> MetricsServer.start(new InetSocketAddress(InetAddress.getLoopbackAddress(), taken.getLocalPort()), () -> TEXT))
                    .isInstanceOf(IOException.class)
                    .hasMessage("cannot serve metrics on 127.0.0.1:%1$d (VXSEAL_METRICS): Address already in use: "
                            + "see ss -tlpn sport = :%1$d and ip address, and set another one", taken.getLocalPort());
        }
    }

    @Test
    void namesAddressAsTheSettingHasIt() {
        for (String setting : List.of("192.0.2.1:9494", "[2001:db8:0:0:0:0:0:1]:9494")) {
            InetAddress address = InetAddress.ofLiteral(setting.substring(0, setting.lastIndexOf(':')));
            assertThat(MetricsServer.name(new InetSocketAddress(address, 9494))).isEqualTo(setting);
        }
    }
}
