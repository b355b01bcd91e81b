package io.vxseal.overlay;

import io.vxseal.check.Finding;
import io.vxseal.check.HostUnderlay;
import io.vxseal.check.PathCheck;
import io.vxseal.check.Way;
import io.vxseal.cluster.record.PathReport;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Checks of this node's paths to the other nodes, for managers that ask. */
final class PathReporter {
    /** Time to wait for a reply. */
    private static final Duration PATIENCE = Duration.ofMillis(500);

    /** Time in which a way may be begun; one takes eleven seconds at most. */
    private static final Duration LIMIT = Duration.ofSeconds(7);

    private final Host host;
    private final DriverLock lock;
    private final NetworkWays ways;

    PathReporter(Host host, DriverLock lock, NetworkWays ways) {
        this.host = host;
        this.lock = lock;
        this.ways = ways;
    }

    /** Checks the paths, some seconds long, without the driver's lock. */
    PathReport report() {
        List<Way> tried = lock.locked(ways::all);
        Map<String, PathReport.State> states = new LinkedHashMap<>();
        List<PathReport.Finding> findings = new ArrayList<>();
        var check = new PathCheck(host.pins(), host.port(), new HostUnderlay(host.namespace()), PATIENCE, LIMIT);
        for (PathCheck.Outcome outcome : check.outcomes(tried)) {
            String node = outcome.way().node();
            states.merge(node, state(outcome.findings()), PathReporter::worse);
            outcome.findings().stream().filter(Finding::unfit).forEach(finding ->
                    findings.add(new PathReport.Finding(node, finding.found(), finding.remedy())));
        }
        return new PathReport(
                states.entrySet().stream().map(path -> new PathReport.Path(path.getKey(), path.getValue())).toList(), findings);
    }

    private static PathReport.State state(List<Finding> found) {
        if (found.isEmpty()) {
            return PathReport.State.UNTRIED;
        }
        return found.stream().anyMatch(Finding::unfit) ? PathReport.State.FAILS : PathReport.State.PASSES;
    }

    /** Returns what two ways to one node make together: one that fails counts most, one that passes least. */
    private static PathReport.State worse(PathReport.State one, PathReport.State other) {
        for (PathReport.State state : List.of(PathReport.State.FAILS, PathReport.State.UNTRIED)) {
            if (one == state || other == state) {
                return state;
            }
        }
        return PathReport.State.PASSES;
    }
}
