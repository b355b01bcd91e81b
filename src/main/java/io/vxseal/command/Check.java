package io.vxseal.command;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.vxseal.check.Finding;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine;

/** Command that checks whether this host is fit for the plugin. */
@CommandLine.Command(
        name = "check",
        description = "Checks whether this host is fit for the plugin, and, where the plugin runs, whether it reaches the managers and "
                + "whether packets pass to each node that has containers on a network of this one, and back. Changes nothing. Prints a line "
                + "for each check, and what mends what is not as it should be. Exit status 1 means that something is not.")
final class Check implements Callable<Integer> {
    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec;

    @CommandLine.Mixin
    private RunningPlugin plugin;

    @CommandLine.Option(names = "--json", description = "Prints JSON, for programs.")
    private boolean json;

    @CommandLine.Option(
            names = "--vxlan-port",
            description = "The plugin's UDP port (VXSEAL_VXLAN_PORT); ${DEFAULT-VALUE} by default.",
            defaultValue = "4789",
            paramLabel = "PORT")
    private int port;

    @CommandLine.Option(
            names = "--cluster-port",
            description = "The plugins' TCP port (VXSEAL_CLUSTER_PORT); ${DEFAULT-VALUE} by default.",
            defaultValue = "4788",
            paramLabel = "PORT")
    private int clusterPort;

    @CommandLine.Option(
            names = "--data-root",
            description = "The engine's data root; ${DEFAULT-VALUE} by default.",
            defaultValue = "/var/lib/docker",
            paramLabel = "FOLDER")
    private Path dataRoot;

    @CommandLine.Option(names = "--help", usageHelp = true, description = "Prints this help.")
    @SuppressWarnings("UnusedVariable") // picocli reads the annotation
    private boolean help;

    @Override
    public Integer call() throws Exception {
        PrintWriter out = spec.commandLine().getOut();
        List<Finding> findings = new Checks(plugin, port, clusterPort, dataRoot).run();
        if (json) {
            out.println(new ObjectMapper().writeValueAsString(findings));
        } else {
            for (Finding finding : findings) {
                out.println("%-4s  %-16s  %s".formatted(finding.fit() ? "ok" : "FAIL", finding.check(), finding.found()));
                if (!finding.fit()) {
                    out.println("%24s%s".formatted("", finding.remedy()));
                }
            }
            out.flush();
        }
        return findings.stream().allMatch(Finding::fit) ? 0 : 1;
    }
}
