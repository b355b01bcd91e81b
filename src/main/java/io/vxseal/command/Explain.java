package io.vxseal.command;

import io.vxseal.encryption.Spi;
import java.io.PrintWriter;
import java.net.InetAddress;
import java.util.List;
import picocli.CommandLine;

/** Command that computes the SPIs between two nodes for each key of a ring, to compare with {@code ip xfrm state}. */
@CommandLine.Command(
        name = "explain",
        description = "Prints the SPI of each direction between two nodes, a line for each tag of a key: "
                + "direction, source, destination, tag and SPI, separated by tabs.")
final class Explain implements Runnable {
    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec;

    @CommandLine.Option(names = "--local", required = true, description = "Address of this node.", paramLabel = "ADDRESS")
    private InetAddress local;

    @CommandLine.Option(names = "--remote", required = true, description = "Address of the other node.", paramLabel = "ADDRESS")
    private InetAddress remote;

    @CommandLine.Option(
            names = "--tag",
            required = true,
            description = "Tag of a key, 0 to 4294967295; may be repeated.",
            paramLabel = "TAG")
    private List<String> tags;

    @CommandLine.Option(names = "--help", usageHelp = true, description = "Prints this help.")
    @SuppressWarnings("UnusedVariable") // picocli reads the annotation
    private boolean help;

    @Override
    public void run() {
        List<Integer> read = tags.stream().map(this::tag).toList();
        PrintWriter out = spec.commandLine().getOut();
        for (int tag : read) {
            out.print(line("forward", local, remote, tag));
            out.print(line("reverse", remote, local, tag));
        }
        out.flush();
    }

    private static String line(String direction, InetAddress source, InetAddress destination, int tag) {
        return "%s\t%s\t%s\t%s\t%08x\n"
                .formatted(
                        direction,
                        source.getHostAddress(),
                        destination.getHostAddress(),
                        Integer.toUnsignedString(tag),
                        Spi.of(source, destination, tag));
    }

    private int tag(String text) {
        try {
            return Integer.parseUnsignedInt(text);
        } catch (NumberFormatException notOne) {
            throw new CommandLine.ParameterException(
                    spec.commandLine(), "invalid --tag \"%s\": want a number from 0 to 4294967295".formatted(text));
        }
    }

    static InetAddress address(String text) {
        try {
            return InetAddress.ofLiteral(text);
        } catch (IllegalArgumentException notOne) {
            throw new CommandLine.TypeConversionException("\"%s\" is not an IP address".formatted(text));
        }
    }
}
