package io.vxseal.overlay;

import io.vxseal.encryption.Encryption;
import io.vxseal.encryption.Tally;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.xfrm.XfrmErrors;
import io.vxseal.overlay.watch.Conditions;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Reader of this node's state for status. It changes nothing.
 *
 * <p>Not safe for use by several threads at once; the driver's lock guards it.
 */
final class OverviewReader {
    /** Lines that status has of what is in the way. */
    private static final int MOST_IN_THE_WAY = 10;

    private final Host host;
    private final Encryption encryption;
    private final Protection protection;
    private final Networks networks;
    private final DataPath dataPath;
    private final LocalNode local;
    private final ServiceAddresses services;
    private final Conditions conditions;
    private final RepairLog repairs;
    private final ErrorLog errors;

    OverviewReader(
            Host host,
            Encryption encryption,
            Protection protection,
            Networks networks,
            DataPath dataPath,
            LocalNode local,
            ServiceAddresses services,
            Conditions conditions,
            RepairLog repairs,
            ErrorLog errors) {
        this.host = host;
        this.encryption = encryption;
        this.protection = protection;
        this.networks = networks;
        this.dataPath = dataPath;
        this.local = local;
        this.services = services;
        this.conditions = conditions;
        this.repairs = repairs;
        this.errors = errors;
    }

    /** Returns the state, without secrets. */
    Overview read() {
        return new Overview(
                local.addresses(),
                networks.all().stream()
                        .map(attachment -> new Overview.Attached(
                                attachment.network,
                                attachment.isUp(),
                                List.copyOf(attachment.endpoints.values()),
                                dataPath.remotePeers(attachment)))
                        .sorted(Comparator.comparing(attachment -> attachment.network().id()))
                        .toList(),
                services.services(),
                services.problems(),
                protection.firewallName(),
                encryption.wanted(),
                installed(),
                encryption.traffic(),
                inTheWay(),
                conditions.current(),
                repairs.repaired(),
                errors.last());
    }

    /** Returns what keeps packets from being sealed or opened, a line each. */
    List<String> inTheWay() {
        List<String> lines = new ArrayList<>(encryption.conflictingPolicies());
        protection.outOfReach().ifPresent(lines::add);
        encryption.failures().forEach((node, why) -> lines.add("node %s: %s".formatted(node.getHostAddress(), why)));
        Set<InetAddress> unreachable = new LinkedHashSet<>();
        networks.all().forEach(attachment -> attachment.peers.vteps().stream()
                .filter(node -> !local.isOfSameVersion(node))
                .forEach(unreachable::add));
        unreachable.forEach(node -> lines.add(
                "node %s: its address is of another IP version than this node's: give all nodes addresses of one"
                        .formatted(node.getHostAddress())));
        return lines.size() <= MOST_IN_THE_WAY ? lines : lines.subList(0, MOST_IN_THE_WAY);
    }

    /** Returns the kernel's counters. What cannot be read is left out, and kept as an error for status. */
    KernelCounters kernelCounters() {
        Map<String, Long> xfrmErrors = Map.of();
        try {
            xfrmErrors = XfrmErrors.in(host.namespace());
        } catch (KernelException failure) {
            errors.add("metrics", failure.getMessage());
        }
        return new KernelCounters(
                xfrmErrors, protection.ruleDrops(), protection.priorityDrops().plus(dataPath.drops()));
    }

    private Optional<Tally> installed() {
        try {
            return Optional.of(encryption.installed());
        } catch (KernelException failure) {
            errors.add("status", failure.getMessage());
            return Optional.empty();
        }
    }
}
