package io.vxseal.plugin;

import org.eclipse.jetty.http.HostPortHttpField;
import org.eclipse.jetty.http.HttpField;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.io.Connection;
import org.eclipse.jetty.io.EndPoint;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.internal.HttpConnection;

/**
 * HTTP connections that accept a blank Host header. Older engines send one (seen with 20.10.24), because Go drops a host that is a
 * socket's path. Jetty refuses it with 400 in every compliance mode, so it is replaced by a name.
 */
final class BlankHosts extends HttpConnectionFactory {
    BlankHosts(HttpConfiguration http) {
        super(http);
    }

    @Override
    public Connection newConnection(Connector connector, EndPoint endPoint) {
        return configure(new HttpConnection(getHttpConfiguration(), connector, endPoint) {
            @Override
            protected RequestHandler newRequestHandler() {
                return new RequestHandler() {
                    @Override
                    public void parsedHeader(HttpField field) {
                        boolean blank = field.getHeader() == HttpHeader.HOST
                                && (field.getValue() == null || field.getValue().isBlank());
                        super.parsedHeader(blank ? new HostPortHttpField("plugin") : field);
                    }
                };
            }
        }, connector, endPoint);
    }
}
