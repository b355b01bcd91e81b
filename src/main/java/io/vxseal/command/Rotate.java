package io.vxseal.command;

import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine;

/** Has the keys replaced before their time. */
@CommandLine.Command(
        name = "rotate",
        description = "Has the keys of all encrypted networks replaced before their time, on all nodes; says when that "
                + "will be, and does not wait for it.")
final class Rotate implements Callable<Integer> {
    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec;

    @CommandLine.Mixin
    private RunningPlugin plugin;

    @CommandLine.Option(names = "--help", usageHelp = true, description = "Says this.")
    @SuppressWarnings("UnusedVariable") // picocli reads the annotation
    private boolean help;

    @Override
    public Integer call() throws Exception {
        PrintWriter out = spec.commandLine().getOut();
        out.println(plugin.ask("POST", "/keys/rotate", "text/plain").stripTrailing());
        return 0;
    }
}
