package io.vxseal.page;

import io.vxseal.journal.Journal;
import io.vxseal.metrics.Recent;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpMethod;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Answers to requests for the page and for what it shows. Anybody who reaches the listener may read it, and nobody can change anything by
 * it.
 */
public final class PageHandler extends Handler.Abstract {
    private static final Logger log = LoggerFactory.getLogger(PageHandler.class);

    /** Path of what the page shows, as server-sent events. */
    static final String LIVE = "/live";

    private final LiveStreams streams;

    /**
     * @param state returns what the page shows of this node, as JSON
     * @param journal events that it shows
     */
    public PageHandler(Recent state, Journal journal) {
        streams = new LiveStreams(state, journal);
    }

    /** Ends the streams, within seconds. */
    @Override
    protected void doStop() throws Exception {
        streams.close();
        super.doStop();
    }

    @Override
    public boolean handle(Request request, Response response, Callback callback) {
        String path = Request.getPathInContext(request);
        Optional<PageFile> file = PageFile.at(path);
        if (file.isEmpty() && !path.equals(LIVE)) {
            return false;
        }
        response.getHeaders().put("X-Content-Type-Options", "nosniff");
        response.getHeaders().put("Referrer-Policy", "no-referrer");
        response.getHeaders().put("Cross-Origin-Resource-Policy", "same-origin");
        response.getHeaders().put(HttpHeader.CACHE_CONTROL, "no-store");
        if (!HttpMethod.GET.is(request.getMethod())) {
            response.getHeaders().put(HttpHeader.ALLOW, "GET");
            refuse(response, callback, HttpStatus.METHOD_NOT_ALLOWED_405, "this page can only be read");
        } else if (!isOwnName(Request.getServerName(request))) {
            refuse(response, callback, HttpStatus.MISDIRECTED_REQUEST_421,
                    "this page is served under the node's IP address or as localhost, not under other names");
        } else if (file.isPresent()) {
            answer(file.get(), response, callback);
        } else if (isFromElsewhere(request)) {
            refuse(response, callback, HttpStatus.FORBIDDEN_403, "only the page itself may ask for this");
        } else if (!streams.open(response, callback)) {
            response.getHeaders().put(HttpHeader.RETRY_AFTER, "30");
            refuse(response, callback, HttpStatus.SERVICE_UNAVAILABLE_503, "too many are watching this node");
        }
        return true;
    }

    private static void answer(PageFile file, Response response, Callback callback) {
        try {
            file.answer(response, callback);
        } catch (Throwable failure) {
            log.error("{} failed", file, failure);
            refuse(response, callback, HttpStatus.INTERNAL_SERVER_ERROR_500, "the plugin's log has the reason");
        }
    }

    /**
     * Returns whether a host's name cannot belong to somebody else. The owner of a name can let it lead to this listener, and their page
     * could then read ours (DNS rebinding). An address cannot be owned that way.
     */
    private static boolean isOwnName(String host) {
        if (host.equalsIgnoreCase("localhost")) {
            return true;
        }
        try {
            return InetAddress.ofLiteral(host.replaceAll("^\\[|]$", "")) != null;
        } catch (IllegalArgumentException name) {
            return false;
        }
    }

    /** Returns whether a browser asks on behalf of another site, which could otherwise take up all streams. */
    private static boolean isFromElsewhere(Request request) {
        String site = request.getHeaders().get("Sec-Fetch-Site");
        return site != null && !site.equals("same-origin") && !site.equals("none");
    }

    private static void refuse(Response response, Callback callback, int status, String why) {
        response.setStatus(status);
        response.getHeaders().put(HttpHeader.CONTENT_TYPE, "text/plain; charset=utf-8");
        response.write(true, StandardCharsets.UTF_8.encode(why + "\n"), callback);
    }
}
