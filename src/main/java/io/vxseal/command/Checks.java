package io.vxseal.command;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.vxseal.check.Finding;
import io.vxseal.check.HostCheck;
import io.vxseal.check.HostUnderlay;
import io.vxseal.check.PathCheck;
import io.vxseal.check.PortCheck;
import io.vxseal.check.host.Node;
import io.vxseal.check.host.PortHolders;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.swarm.ManagerAddresses;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The checks of this host, and of what lies between it and the other nodes if a plugin runs here that knows them.
 */
record Checks(RunningPlugin plugin, HostOptions options) {
    private static final String SWARM = "swarm";

    /** Where the engine mounts network namespaces, among them those of the built-in driver's networks. */
    private static final Path SANDBOXES = Path.of("/run/docker/netns");

    private static final Duration PATIENCE = Duration.ofSeconds(1);

    /**
     * Returns at least one finding for each check.
     *
     * @param hostOnly leaves out what lies between this host and the other nodes
     */
    List<Finding> run(boolean hostOnly) throws IOException {
        Optional<KnownSwarm> known = known();
        List<Finding> findings = new ArrayList<>();
        try (Namespace host = Namespace.own()) {
            findings.addAll(new HostCheck(host, new PortHolders.Ports(options.vxlanPort, options.clusterPort),
                    new HostCheck.Folders(RunningPlugin.FOLDER, options.dataRoot.resolve(SWARM), SANDBOXES, RunningPlugin.NAMESPACES),
                    known.map(KnownSwarm::node).orElse(Node.UNKNOWN)).run());
        }
        if (hostOnly) {
            return findings;
        }
        if (known.isEmpty()) {
            findings.add(Finding.untried("other nodes", "not checked: no plugin answers on this host", "docker plugin enable vxseal"));
            return findings;
        }
        KnownSwarm swarm = known.get();
        findings.addAll(swarm.findings(options.clusterPort));
        findings.addAll(new PortCheck(options.clusterPort, PATIENCE).run(swarm.managers()));
        try (Namespace host = Namespace.own()) {
            findings.addAll(new PathCheck(RunningPlugin.NAMESPACES, options.vxlanPort, new HostUnderlay(host), PATIENCE).run(swarm.ways()));
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
                new ManagerAddresses(options.dataRoot.resolve(SWARM).resolve("state.json")).read()));
    }
}
