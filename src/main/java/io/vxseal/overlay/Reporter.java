package io.vxseal.overlay;

import io.vxseal.address.NodeAddresses;
import io.vxseal.cluster.Cluster;
import io.vxseal.cluster.ClusterStatus;
import io.vxseal.cluster.node.SwarmInquiry;
import io.vxseal.cluster.record.NodeReport;
import io.vxseal.cluster.record.PathMatrix;
import io.vxseal.cluster.ring.RingStatus;
import io.vxseal.kernel.firewall.Drops;
import io.vxseal.overlay.watch.Condition;
import java.net.InetAddress;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** This node's report to the swarm, and the questions to all nodes. */
final class Reporter {
    /** Longer than the cluster waits for other nodes. */
    private static final Duration PATIENCE = Duration.ofSeconds(25);

    private final Networks networks;
    private final DataPath dataPath;
    private final Protection protection;
    private final LocalNode local;
    private final RepairLog repairs;
    private final Cluster cluster;

    Reporter(
            Networks networks, DataPath dataPath, Protection protection, LocalNode local, RepairLog repairs, Cluster cluster) {
        this.networks = networks;
        this.dataPath = dataPath;
        this.protection = protection;
        this.local = local;
        this.repairs = repairs;
        this.cluster = cluster;
    }

    /** Passes this node's report to the cluster. The driver's lock guards it. */
    void report(ClusterStatus status, List<Condition> conditions) {
        List<Attachment> up = networks.all().stream().filter(Attachment::isUp).toList();
        Drops drops = protection.ruleDrops().plus(protection.priorityDrops()).plus(dataPath.drops());
        Overview.Repaired repaired = repairs.repaired();
        cluster.report(NodeReport.own(
                local.addresses().map(NodeAddresses::advertise).map(InetAddress::getHostAddress).orElse(""),
                ProgramVersion.get(),
                status.ring().map(RingStatus::version).orElse(0L),
                up.size(),
                up.stream().mapToInt(attachment -> attachment.endpoints.size()).sum(),
                status.hubs().size(),
                repaired.rules() + repaired.statesAndPolicies() + repaired.links() + repaired.entries(),
                drops.incoming() + drops.outgoing(),
                conditions.stream().map(Condition::text).toList()));
    }

    /** Returns the reports of all nodes. Waits for them, without the driver's lock. */
    SwarmInquiry.Answer ask() throws DriverException {
        return await(cluster.inquire());
    }

    /** Has all nodes check their paths, and returns what they found. Waits for them, without the driver's lock. */
    PathMatrix checkPaths() throws DriverException {
        return await(cluster.checkPaths());
    }

    private static <T> T await(CompletableFuture<T> answer) throws DriverException {
        try {
            return answer.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
        } catch (ExecutionException failure) {
            Throwable cause = failure.getCause();
            throw DriverException.conflict("cannot ask the other nodes: " + (cause == null ? failure : cause).getMessage());
        } catch (TimeoutException failure) {
            throw DriverException.conflict("cannot ask the other nodes: the plugin is ending");
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
            throw DriverException.conflict("cannot ask the other nodes: interrupted");
        }
    }
}
