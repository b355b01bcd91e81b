package io.vxseal.lab;

import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Collectors;

/** A process on a host that sends UDP datagrams through sockets, with no more rights than who it runs as. */
public enum LocalProcess {

    /** Without any capability. */
    NOBODY("setpriv --reuid=65534 --regid=65534 --clear-groups"),

    /** With CAP_NET_RAW, which lets it set its datagrams' mark on Linux 5.17 and later. */
    ROOT_WITHOUT_NET_ADMIN("setpriv --bounding-set=-net_admin"),

    /** As an image's user would be who asks for nothing but the host's network; it borrows the host's files. */
    HOST_NETWORK_CONTAINER("docker run --rm --network host -v /:/host busybox busybox chroot /host");

    private static final Duration LIMIT = Duration.ofSeconds(90);

    /** Prints the fate of each datagram, for what is dropped on its way out may be told to who sent it. */
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
     * Sends datagrams to a port of another host, all of them from a socket with each of the marks.
     *
     * @param marks 0 for a socket without one
     * @return a line for each datagram, and for each mark that was refused
     */
    public String send(Guest from, Guest to, int port, List<Integer> marks, List<byte[]> datagrams) {
        return from.run(as + " " + command(to, port, marks, datagrams), LIMIT).require();
    }

    /** The command that sends them. */
    static String command(Guest to, int port, List<Integer> marks, List<byte[]> datagrams) {
        return "%s %s %d %s %s".formatted(SEND, to.address(), port,
                marks.stream().map(Integer::toHexString).collect(Collectors.joining(",")),
                datagrams.stream().map(HexFormat.of()::formatHex).collect(Collectors.joining(" ")));
    }
}
