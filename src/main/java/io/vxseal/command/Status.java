package io.vxseal.command;

import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine;

/** Command that shows the state of the running plugin. */
@CommandLine.Command(
        name = "status",
        description = "Shows the state of the running plugin: members, tags of keys, networks, number of IPsec states and "
                + "policies wanted and found in the kernel, repairs, errors.")
final class Status implements Callable<Integer> {
    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec;

    @CommandLine.Mixin
    private RunningPlugin plugin;

    @CommandLine.Option(names = "--json", description = "Prints JSON, for programs, with each endpoint.")
    private boolean json;

    @CommandLine.Option(
            names = "--swarm",
            description = "Shows a line for each node of the swarm, which it is asked for through a manager's plugin, and its trouble.")
    private boolean swarm;

    @CommandLine.Option(names = "--help", usageHelp = true, description = "Prints this help.")
    @SuppressWarnings("UnusedVariable") // picocli reads the annotation
    private boolean help;

    @Override
    public Integer call() throws Exception {
        PrintWriter out = spec.commandLine().getOut();
        out.println(plugin.ask("GET", swarm ? "/swarm" : "/status", json ? "application/json" : "text/plain").stripTrailing());
        return 0;
    }
}
