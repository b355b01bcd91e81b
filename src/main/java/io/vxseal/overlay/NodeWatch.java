package io.vxseal.overlay;

import io.vxseal.cluster.Cluster;
import io.vxseal.cluster.ClusterStatus;
import io.vxseal.journal.Event;
import io.vxseal.journal.Journal;
import io.vxseal.overlay.watch.ClusterChanges;
import io.vxseal.overlay.watch.Conditions;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Periodic observation of this node: its conditions for the log, the journal and the other nodes, and changes of the cluster. */
final class NodeWatch {
    private static final Logger log = LoggerFactory.getLogger(NodeWatch.class);

    private final DriverLock lock;
    private final Cluster cluster;
    private final OverviewReader overview;
    private final Observer observer;
    private final Conditions conditions;
    private final Reporter reporter;
    private final Journal journal;
    private final ClusterChanges clusterChanges = new ClusterChanges();

    NodeWatch(DriverLock lock, Cluster cluster, OverviewReader overview, Observer observer, Conditions conditions, Reporter reporter,
            Journal journal) {
        this.lock = lock;
        this.cluster = cluster;
        this.overview = overview;
        this.observer = observer;
        this.conditions = conditions;
        this.reporter = reporter;
        this.journal = journal;
    }

    /** Observes this node, logs which conditions begin and end, and adds what changed to the journal. */
    void watch() {
        ClusterStatus status = cluster.status();
        Conditions.Change change = lock.locked(() -> {
            clusterChanges.observe(status).forEach(made -> journal.add(made.kind(), made.subject(), made.text()));
            Conditions.Change made = conditions.observe(observer.observe(overview.inTheWay()));
            reporter.report(status, conditions.current());
            return made;
        });
        change.begun().forEach(condition -> {
            journal.add(Event.Kind.CONDITION_BEGAN, condition.subject(), condition.text());
            log.warn("{}", condition.text());
        });
        change.ended().forEach(condition -> {
            journal.add(Event.Kind.CONDITION_ENDED, condition.subject(), "over: " + condition.text());
            log.info("over, after it began at {}: {}", condition.since(), condition.text());
        });
    }
}
