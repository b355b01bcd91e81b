package io.vxseal.page;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.stream.Stream;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/** A file that the page is made of. It is read from the jar whenever it is asked for, so it costs nothing where nobody asks. */
enum PageFile {
    HTML("/", "page.html", "text/html; charset=utf-8"),
    STYLE("/page.css", "page.css", "text/css; charset=utf-8"),
    SCRIPT("/page.js", "page.js", "text/javascript; charset=utf-8"),
    ICON("/icon.svg", "icon.svg", "image/svg+xml");

    /**
     * What the page may do: load its own files and ask its own server. Scripts can make no markup of text (Trusted Types), so that a name
     * from the swarm is never read as any.
     */
    private static final String POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
            + " base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

    private final String path;
    private final String resource;
    private final String type;

    PageFile(String path, String resource, String type) {
        this.path = path;
        this.resource = resource;
        this.type = type;
    }

    /** Returns the file that a path names. */
    static Optional<PageFile> at(String path) {
        return Stream.of(values()).filter(file -> file.path.equals(path)).findAny();
    }

    /** Writes the file as a response. */
    void answer(Response response, Callback callback) throws IOException {
        byte[] content;
        try (InputStream opened = PageFile.class.getResourceAsStream(resource)) {
            if (opened == null) {
                throw new FileNotFoundException(resource);
            }
            content = opened.readAllBytes();
        }
        response.getHeaders().put(HttpHeader.CONTENT_TYPE, type);
        response.getHeaders().put("Content-Security-Policy", POLICY);
        response.write(true, ByteBuffer.wrap(content), callback);
    }
}
