package io.vxseal.lab;

import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Collectors;

/** A process on a host that sends UDP datagrams through sockets, with the rights of its user only. */
public enum LocalProcess {

    /** An unprivileged user. */
    NOBODY("setpriv --reuid=65534 --regid=65534 --clear-groups"),

    /** A user with CAP_NET_RAW, which may set its datagrams' mark on Linux 5.17 and later. */
    ROOT_WITHOUT_NET_ADMIN("setpriv --bounding-set=-net_admin"),

    /** The root of a container on the host's network without further options; it uses the host's files. */
    HOST_NETWORK_CONTAINER("docker run --rm --network host -v /:/host busybox busybox chroot /host");

    private static final Duration LIMIT = Duration.ofSeconds(90);

    /** Prints the result of each send, because the sender may get an error for a datagram that is dropped on its way out. */
    private static final String SEND = """
            perl -MSocket -e '
              my ($address, $port, $marks, @datagrams) = @ARGV;
              for my $mark (split /,/, $marks) {
                socket(my $socket, PF_INET, SOCK_DGRAM, 0) or die "no socket: $!";
                if (hex $mark) {
                  setsockopt($socket, SOL_SOCKET, 36, pack("L", hex $mark)) or print "mark $mark: $!\\n";
                }
                for (@datagrams) {
                  my $sent = send($socket, pack("H*", $_), 0, sockaddr_in($port, inet_aton($address)));
                  print "mark $mark: ", $sent ? "sent" : $!, "\\n";
                }
              }'""";

    private final String as;

    LocalProcess(String as) {
        this.as = as;
    }

    /**
     * Sends datagrams to a port of another host, each from one socket per mark.
     *
     * @param marks firewall marks of the sockets, 0 for none
     * @return a line for each datagram and for each refused mark
     */
    public String send(Guest from, Guest to, int port, List<Integer> marks, List<byte[]> datagrams) {
        return from.run(as + " " + command(to, port, marks, datagrams), LIMIT).require();
    }

    /** Returns the command that sends them. */
    static String command(Guest to, int port, List<Integer> marks, List<byte[]> datagrams) {
        return "%s %s %d %s %s".formatted(SEND, to.address(), port,
                marks.stream().map(Integer::toHexString).collect(Collectors.joining(",")),
                datagrams.stream().map(HexFormat.of()::formatHex).collect(Collectors.joining(" ")));
    }
}
