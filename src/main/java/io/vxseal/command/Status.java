package io.vxseal.command;

import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine;

/** Shows what the running plugin knows and has done. */
@CommandLine.Command(
        name = "status",
        description = "Shows what the running plugin knows: members, keys' tags, networks, what the kernel should hold "
                + "and holds, repairs, errors.")
final class Status implements Callable<Integer> {
    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec;

    @CommandLine.Mixin
    private RunningPlugin plugin;

    @CommandLine.Option(names = "--json", description = "As JSON, for programs; with each endpoint.")
    private boolean json;

    @CommandLine.Option(names = "--help", usageHelp = true, description = "Says this.")
    @SuppressWarnings("UnusedVariable") // picocli reads the annotation
    private boolean help;

    @Override
    public Integer call() throws Exception {
        PrintWriter out = spec.commandLine().getOut();
        out.println(plugin.ask("GET", "/status", json ? "application/json" : "text/plain").stripTrailing());
        return 0;
    }
}
