package io.vxseal.command;

import java.io.IOException;
import java.io.PrintWriter;
import java.net.InetAddress;
import picocli.CommandLine;

/** The command line {@code vxseal COMMAND}. Without a command the program is the plugin. */
@CommandLine.Command(
        name = "vxseal",
        description = "Without a command: runs the plugin, as the engine does. With one:",
        subcommands = {Status.class, Events.class, Check.class, Rotate.class, Support.class, Explain.class},
        synopsisSubcommandLabel = "COMMAND")
public final class Command implements Runnable {
    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec;

    @CommandLine.Option(names = "--help", usageHelp = true, description = "Prints this help.")
    @SuppressWarnings("UnusedVariable") // picocli reads the annotation
    private boolean help;

    @Override
    public void run() {
        throw new CommandLine.ParameterException(spec.commandLine(), "want a command");
    }

    /**
     * Runs one command.
     *
     * @return the process's exit status: 0, 1 if the plugin did not answer or refused or a check failed, 2 if the arguments are wrong
     */
    public static int run(PrintWriter out, PrintWriter err, String... arguments) {
        return new CommandLine(new Command())
                .registerConverter(InetAddress.class, Explain::address)
                .setOut(out)
                .setErr(err)
                .setExecutionExceptionHandler((failure, command, _) -> {
                    if (!(failure instanceof IOException)) {
                        throw failure;
                    }
                    command.getErr().println("vxseal: " + failure.getMessage());
                    return command.getCommandSpec().exitCodeOnExecutionException();
                })
                .execute(arguments);
    }
}
