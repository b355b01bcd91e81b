package io.vxseal.lab;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;

/**
 * HTTP requests to Unix sockets in a guest: the engine's and the plugin's. The guests have no curl, but every Debian has perl,
 * which starts in a tenth of the time that the docker command takes on an emulated host.
 */
final class SocketRequest {

    private static final String ENGINE = "/run/docker.sock";

    /** Arguments: the socket's path, a pattern that one file matches; the request's line; its body. */
    private static final String ASK = """
            perl -MIO::Socket::UNIX -e '
              my ($socket, $request, $body) = @ARGV;
              my $peer = IO::Socket::UNIX->new(Peer => glob $socket) or die "nobody at $socket: $!";
              print $peer "$request HTTP/1.0\\r\\nHost: guest\\r\\nConnection: close\\r\\nContent-Length: "
                . length($body) . "\\r\\n\\r\\n$body";
              my ($head, $answer) = split /\\r\\n\\r\\n/, join("", <$peer>), 2;
              print $answer;
              exit($head =~ m{^HTTP/1.[01] 20} ? 0 : 1)'""";

    private SocketRequest() {}

    /** Sends a request. The answer's body is the outcome's output; any status but success is a failure. */
    static Outcome send(Guest guest, String socket, String request, String body, Duration limit) {
        return guest.run("%s '%s' '%s' '%s'".formatted(ASK, socket, request, body), limit);
    }

    /** Returns the answer of a guest's engine to a GET. */
    static JsonNode engine(Guest guest, String path, Duration limit) {
        Outcome answer = send(guest, ENGINE, "GET " + path, "", limit);
        answer.require();
        return answer.json();
    }
}
