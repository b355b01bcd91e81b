package io.vxseal.plugin;

import com.fasterxml.jackson.core.JsonProcessingException;
import io.javalin.http.ContentType;
import io.javalin.http.Context;
import io.javalin.http.HttpStatus;
import io.vxseal.metrics.CallStats;
import io.vxseal.metrics.Exposition;
import io.vxseal.metrics.Sample;
import io.vxseal.overlay.Driver;
import io.vxseal.overlay.DriverException;
import java.time.Instant;
import java.util.Map;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Answers to an operator's requests, in JSON or as text.
 *
 * @param networkNames returns names of networks by id
 */
record OperatorRequests(String version, Pending<Driver> driver, CallStats calls, Supplier<Map<String, String>> networkNames) {
    private static final Logger log = LoggerFactory.getLogger(OperatorRequests.class);

    private static final String TEXT = "text/plain; charset=utf-8";

    /** Reply to a request for a key rotation. */
    private record Rotation(long ringVersion, String message) {}

    void status(Context context) throws DriverException, JsonProcessingException {
        Driver running = driver.get();
        StatusReply reply = StatusReply.of(
                version, running.status(), running.clusterStatus(), networkNames.get(), calls.tallies(), Instant.now());
        if (wantsText(context)) {
            context.contentType(TEXT).result(StatusTable.print(reply));
        } else {
            context.contentType(ContentType.APPLICATION_JSON).result(Json.Own.MAPPER.writeValueAsBytes(reply));
        }
    }

    void swarm(Context context) throws DriverException, JsonProcessingException {
        SwarmReply reply = SwarmReply.of(driver.get().swarmReports());
        if (wantsText(context)) {
            context.contentType(TEXT).result(reply.print());
        } else {
            context.contentType(ContentType.APPLICATION_JSON).result(Json.Own.MAPPER.writeValueAsBytes(reply));
        }
    }

    void checkSwarm(Context context) throws DriverException, JsonProcessingException {
        context.contentType(ContentType.APPLICATION_JSON)
                .result(Json.Own.MAPPER.writeValueAsBytes(PathsReply.of(driver.get().swarmPaths())));
    }

    void metrics(Context context) throws DriverException {
        context.contentType(Exposition.CONTENT_TYPE).result(scrape());
    }

    /** Returns the metrics in Prometheus' text format. */
    byte[] scrape() throws DriverException {
        return Exposition.print(sample());
    }

    /** Returns what the page shows, as JSON. */
    byte[] page() throws DriverException {
        return PageReply.json(sample());
    }

    private Sample sample() throws DriverException {
        Driver running = driver.get();
        return new Sample(
                version,
                running.status(),
                running.kernelCounters(),
                running.clusterStatus(),
                running.keyRotation(),
                calls,
                Instant.now());
    }

    void rotate(Context context) throws DriverException, JsonProcessingException {
        long ring = driver.get().rotate();
        log.info("key rotation requested; current ring is {}", ring);
        String message = ("ring %d will be replaced once a minute has passed since its last change and a majority of managers"
                + " is reachable").formatted(ring);
        context.status(HttpStatus.ACCEPTED);
        if (wantsText(context)) {
            context.contentType(TEXT).result(message + "\n");
        } else {
            context.contentType(ContentType.APPLICATION_JSON)
                    .result(Json.Own.MAPPER.writeValueAsBytes(new Rotation(ring, message)));
        }
    }

    /** Returns whether a client accepts text and not JSON. A client that accepts both, or names neither, gets JSON. */
    private static boolean wantsText(Context context) {
        String accept = String.valueOf(context.header("Accept"));
        return accept.contains("text/plain") && !accept.contains(ContentType.JSON);
    }
}
