package io.vxseal.command;

import io.vxseal.overlay.ProgramVersion;
import java.io.IOException;
import java.io.PrintWriter;
import java.net.InetAddress;
import picocli.CommandLine;

/** The command line {@code vxseal COMMAND}. Without a command the program is the plugin. */
@CommandLine.Command(
        name = "vxseal",
        description = "Without a command: runs the plugin, as the engine does. With one:",
        subcommands = {Status.class, Events.class, Check.class, Rotate.class, Support.class, Explain.class},
        synopsisSubcommandLabel = "COMMAND",
        versionProvider = Command.Version.class)
public final class Command implements Runnable {
    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec;

    @CommandLine.Option(names = "--help", usageHelp = true, description = "Prints this help.")
    @SuppressWarnings("UnusedVariable") // picocli reads the annotation
    private boolean help;

    @CommandLine.Option(names = "--version", versionHelp = true, description = "Prints the program's version.")
    @SuppressWarnings("UnusedVariable") // picocli reads the annotation
    private boolean version;

    /** The program's name and version, for picocli. */
    static final class Version implements CommandLine.IVersionProvider {
        @Override
        public String[] getVersion() {
            return new String[] {"vxseal " + ProgramVersion.get()};
        }
    }

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
                .setParameterExceptionHandler(Command::refuse)
                .setExecutionExceptionHandler((failure, command, _) -> {
                    if (!(failure instanceof IOException)) {
                        throw failure;
                    }
                    command.getErr().println("vxseal: " + failure.getMessage());
                    return command.getCommandSpec().exitCodeOnExecutionException();
                })
                .execute(arguments);
    }

    /** Says what is wrong with arguments, as the docker command does: without all that would be right. */
    private static int refuse(CommandLine.ParameterException wrong, String... arguments) {
        CommandLine command = wrong.getCommandLine();
        PrintWriter err = command.getErr();
        String name = command.getCommandSpec().qualifiedName();
        err.println("vxseal: " + (wrong instanceof CommandLine.UnmatchedArgumentException unmatched
                        && command.getParent() == null && !unmatched.getUnmatched().getFirst().startsWith("-")
                ? "\"%s\" is no command of vxseal".formatted(unmatched.getUnmatched().getFirst())
                : wrong.getMessage()));
        err.println("See: %s --help".formatted(name));
        return command.getCommandSpec().exitCodeOnInvalidInput();
    }
}
