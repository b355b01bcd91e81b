package io.vxseal.command;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.vxseal.check.Finding;
import io.vxseal.check.HostCheck;
import io.vxseal.kernel.netns.Namespace;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine;

/** Command that checks whether this host is fit for the plugin. */
@CommandLine.Command(
        name = "check",
        description = "Checks whether this host is fit for the plugin, and changes nothing. Prints a line for each check, and what mends "
                + "what is not as it should be. Exit status 1 means that something is not.")
final class Check implements Callable<Integer> {
    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec;

    @CommandLine.Option(names = "--json", description = "Prints JSON, for programs.")
    private boolean json;

    @CommandLine.Option(
            names = "--vxlan-port",
            description = "The plugin's UDP port (VXSEAL_VXLAN_PORT); ${DEFAULT-VALUE} by default.",
            defaultValue = "4789",
            paramLabel = "PORT")
    private int port;

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
        List<Finding> findings;
        try (Namespace host = Namespace.own()) {
            findings = new HostCheck(host, port, RunningPlugin.FOLDER, dataRoot.resolve("swarm")).run();
        }
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
