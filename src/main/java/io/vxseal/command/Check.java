package io.vxseal.command;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.vxseal.check.Finding;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine;

/** Command that checks whether this host is fit for the plugin. */
@CommandLine.Command(
        name = "check",
        description = "Checks whether this host is fit for the plugin, and, where the plugin runs, whether it reaches the managers and "
                + "whether packets pass to each node that has containers on a network of this one, and back. Changes nothing. Prints a line "
                + "for each check, and what mends what is not as it should be, or has tried what could not be. A line with \"warn\" or \"?\" is no "
                + "failure. Exit status 1 means that there is one.")
final class Check implements Callable<Integer> {
    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec;

    @CommandLine.Mixin
    private RunningPlugin plugin;

    @CommandLine.Option(names = "--json", description = "Prints JSON, for programs.")
    private boolean json;

    @CommandLine.Option(
            names = "--swarm",
            description = "Has all nodes of the swarm check their paths to each other, on a manager: prints a matrix, and what mends what "
                    + "does not pass. It takes 25 s at most.")
    private boolean swarm;

    @CommandLine.Option(
            names = "--host",
            description = "Checks this host only, not what lies between it and the other nodes.")
    private boolean hostOnly;

    @CommandLine.Mixin
    private HostOptions host;

    @CommandLine.Option(names = "--help", usageHelp = true, description = "Prints this help.")
    @SuppressWarnings("UnusedVariable") // picocli reads the annotation
    private boolean help;

    @Override
    public Integer call() throws Exception {
        PrintWriter out = spec.commandLine().getOut();
        host.requireValid(spec.commandLine());
        if (swarm && hostOnly) {
            throw new CommandLine.ParameterException(spec.commandLine(), "--swarm and --host exclude each other: give one of them");
        }
        if (swarm) {
            return checkSwarm(out);
        }
        List<Finding> findings = new Checks(plugin, Installation.of(System.getenv(), host, plugin.socket())).run(hostOnly);
        if (json) {
            out.println(json(findings));
        } else {
            for (Finding finding : findings) {
                out.println("%-4s  %-16s  %s".formatted(word(finding.state()), finding.check(), finding.found()));
                if (!finding.remedy().isEmpty()) {
                    out.println("%24s%s".formatted("", finding.remedy()));
                }
            }
            out.flush();
        }
        return findings.stream().anyMatch(Finding::unfit) ? 1 : 0;
    }

    private static String word(Finding.State state) {
        return switch (state) {
            case FIT -> "ok";
            case WARNING -> "warn";
            case UNFIT -> "FAIL";
            case UNTRIED -> "?";
        };
    }

    /** Returns findings for programs. Those that know {@code fit} alone take what was not tried for no failure, which it is not. */
    static String json(List<Finding> findings) {
        ArrayNode list = JsonNodeFactory.instance.arrayNode();
        findings.forEach(finding -> list.addObject()
                .put("check", finding.check())
                .put("fit", !finding.unfit())
                .put("state", finding.state().name().toLowerCase(Locale.ROOT))
                .put("found", finding.found())
                .put("remedy", finding.remedy()));
        return list.toString();
    }

    private int checkSwarm(PrintWriter out) throws IOException {
        String answer = plugin.ask("POST", "/swarm/check", "application/json");
        SwarmMatrix matrix = new SwarmMatrix(new ObjectMapper().readTree(answer).path("nodes"));
        out.println((json ? answer : matrix.print()).stripTrailing());
        return matrix.isFit() ? 0 : 1;
    }
}
