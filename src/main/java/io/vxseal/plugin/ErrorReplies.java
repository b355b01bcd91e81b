package io.vxseal.plugin;

import com.fasterxml.jackson.core.JsonProcessingException;
import io.javalin.config.JavalinConfig;
import io.javalin.http.Context;
import io.javalin.http.Handler;
import io.javalin.http.HttpStatus;
import io.javalin.http.MethodNotAllowedResponse;
import io.javalin.http.NotFoundResponse;
import io.vxseal.overlay.Driver;
import io.vxseal.overlay.DriverException;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Replies to requests that fail, in Docker's form. */
record ErrorReplies(Pending<Driver> driver) {
    private static final Logger log = LoggerFactory.getLogger(ErrorReplies.class);

    /** Paths of the protocol by which engines call plugins. */
    private static final Pattern ENGINES = Pattern.compile("/(Plugin|NetworkDriver)\\.");

    /** Sets the reply to each kind of failure. */
    void configure(JavalinConfig config) {
        config.routes.exception(
                DriverException.class,
                (refused, context) -> refuse(context, status(refused.kind()), refused.getMessage()));
        config.routes.exception(BadRequest.class, (bad, context) -> refuse(context, bad.status, bad.getMessage()));
        config.routes.exception(MethodNotAllowedResponse.class, (wrong, context) -> {
            String allowed = String.join(", ", wrong.getDetails().values());
            fail(
                    context.header("Allow", allowed),
                    HttpStatus.METHOD_NOT_ALLOWED,
                    "%s does not accept %s: want %s".formatted(context.path(), context.method(), allowed));
        });
        config.routes.exception(NotFoundResponse.class, (unknown, context) -> {
            RequestBody.discard(context);
            fail(context, HttpStatus.NOT_FOUND, "no such method: " + context.path());
        });
        config.routes.exception(Exception.class, (failure, context) -> failUnexpectedly(context, failure));
    }

    /** Refuses a request. Of an engine's the operator learns by the log and status; of their own by the answer. */
    private void refuse(Context context, HttpStatus status, String why) {
        if (ENGINES.matcher(context.path()).lookingAt()) {
            log.warn("{}: {}", context.path(), why);
            recordError(context, why);
        } else {
            log.debug("{}: {}", context.path(), why);
        }
        fail(context, status, why);
    }

    private void failUnexpectedly(Context context, Throwable failure) {
        log.error("{} failed", context.path(), failure);
        recordError(context, "internal error: " + failure);
        fail(context, HttpStatus.INTERNAL_SERVER_ERROR, "internal error: " + failure);
    }

    /** Records a failure for status. Without a driver there is no status. */
    private void recordError(Context context, String failure) {
        driver.now().ifPresent(running -> running.errors().add(context.path(), failure));
    }

    /** Returns a handler that answers an {@link Error}, which Javalin does not handle, with status 500. */
    Handler guarded(Handler handler) {
        return context -> {
            try {
                handler.handle(context);
            } catch (Error failure) {
                failUnexpectedly(context, failure);
            }
        };
    }

    private static void fail(Context context, HttpStatus status, String message) {
        try {
            ReplyBody.write(context.status(status), new Replies.Failure(message));
        } catch (JsonProcessingException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    /** Returns the HTTP status of a refusal: never 404, which the engine takes for a method that is not implemented. */
    private static HttpStatus status(DriverException.Kind kind) {
        return switch (kind) {
            case INVALID_PARAMETER -> HttpStatus.BAD_REQUEST;
            case FORBIDDEN -> HttpStatus.FORBIDDEN;
            case CONFLICT -> HttpStatus.CONFLICT;
            case SYSTEM -> HttpStatus.INTERNAL_SERVER_ERROR;
        };
    }
}
