package io.vxseal.command;

import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine;

/** Command that requests a rotation of the keys before it is due. */
@CommandLine.Command(
        name = "rotate",
        description = "Requests a rotation of the keys of all encrypted networks, on all nodes; prints when it will be, "
                + "and does not wait for it.")
final class Rotate implements Callable<Integer> {
    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec;

    @CommandLine.Mixin
    private RunningPlugin plugin;

    @CommandLine.Option(names = "--help", usageHelp = true, description = "Prints this help.")
    @SuppressWarnings("UnusedVariable") // picocli reads the annotation
    private boolean help;

    @Override
    public Integer call() throws Exception {
        PrintWriter out = spec.commandLine().getOut();
        out.println(plugin.ask("POST", "/keys/rotate", "text/plain").stripTrailing());
        return 0;
    }
}
