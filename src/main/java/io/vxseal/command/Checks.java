package io.vxseal.command;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.vxseal.check.Finding;
import io.vxseal.check.HostCheck;
import io.vxseal.check.HostUnderlay;
import io.vxseal.check.PathCheck;
import io.vxseal.check.PortCheck;
import io.vxseal.check.host.Node;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.swarm.ManagerAddresses;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The checks of this host, and of what lies between it and the other nodes if a plugin runs here that knows them.
 */
record Checks(RunningPlugin plugin, Installation installation) {
    private static final Duration PATIENCE = Duration.ofSeconds(1);

    /**
     * Returns at least one finding for each check.
     *
     * @param hostOnly leaves out what lies between this host and the other nodes
     */
    List<Finding> run(boolean hostOnly) throws IOException {
        Optional<KnownSwarm> known = known();
        List<Finding> findings = new ArrayList<>();
        installation.silence().ifPresent(why -> findings.add(Finding.untried("engine",
                "the engine does not say how the plugin is set (%s), so ports and folders that are not named are the usual ones".formatted(why),
                "systemctl status docker")));
        try (Namespace host = Namespace.own()) {
            findings.addAll(new HostCheck(host, installation.ports(), installation.folders(), known.map(KnownSwarm::node).orElse(Node.UNKNOWN)).run());
        }
        if (hostOnly) {
            return findings;
        }
        if (known.isEmpty()) {
            findings.add(Finding.untried("other nodes", "not checked: no plugin answers on this host", "docker plugin enable vxseal"));
            return findings;
        }
        KnownSwarm swarm = known.get();
        findings.addAll(swarm.findings(installation.ports().cluster()));
        findings.addAll(new PortCheck(installation.ports().cluster(), PATIENCE).run(swarm.managers()));
        try (Namespace host = Namespace.own()) {
            findings.addAll(new PathCheck(installation.folders().networks(), installation.ports().vxlan(), new HostUnderlay(host), PATIENCE).run(swarm.ways()));
        }
        swarm.withoutWay().ifPresent(findings::add);
        return findings;
    }

    /** Returns what the running plugin knows; empty if none answers. */
    private Optional<KnownSwarm> known() throws IOException {
        String status;
        try {
            status = plugin.ask("GET", "/status", "application/json");
        } catch (IOException absent) {
            return Optional.empty();
        }
        return Optional.of(new KnownSwarm(new ObjectMapper().readTree(status),
                new ManagerAddresses(installation.folders().swarm().resolve("state.json")).read()));
    }
}
