package io.vxseal.overlay;

import io.vxseal.encryption.Encryption;
import io.vxseal.encryption.VxlanPort;
import io.vxseal.kernel.firewall.Drops;
import io.vxseal.kernel.firewall.Firewall;
import io.vxseal.kernel.firewall.Firewall.Transport;
import io.vxseal.kernel.firewall.FirewallDetector;
import io.vxseal.kernel.firewall.InstalledRules;
import io.vxseal.kernel.firewall.SealedPriority;
import io.vxseal.kernel.firewall.Segment;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netns.UdpPorts;
import io.vxseal.kernel.route.VxlanProbe;
import io.vxseal.kernel.xfrm.SecurityPolicy;
import java.io.IOException;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Protection of encrypted networks against packets in clear: firewall rules, and the policy that blocks marked datagrams.
 *
 * <p><b>Protection outlives what it protects.</b> As long as a VXLAN device of an encrypted network exists and is up, its rules and the
 * policy are in force, whichever process made the device and on whichever port. So protection is raised before a device
 * comes up ({@link #raise}), and lowered after it is gone ({@link #lower}). If it cannot be raised the device is set down.
 *
 * <p>A previous process may have protected segments of which this one knows no device, because the run folder or the state file was
 * lost. These stay protected while there is a VXLAN device with their VNI and port.
 *
 * <p>Not safe for use by several threads at once; the driver's lock guards it.
 */
final class Protection implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(Protection.class);

    private final Host host;
    private final Encryption encryption;
    private final FirewallDetector detector;

    private Optional<Firewall> firewall = Optional.empty();
    private Optional<SealedPriority> priority = Optional.empty();
    private Transport transport = Transport.IPV4;

    /** What the rules of firewalls dropped that were detected before the present one. */
    private Drops earlierDrops = Drops.NONE;

    /** Whether rules of a previous process were looked for since the firewall was detected. */
    private boolean looked;

    /** Whether all those rules could be listed. */
    private boolean listedAll;

    /** Whether rules that nothing needs were removed since the firewall was detected. */
    private boolean swept;

    /** Segments whose rules this process knows to be in force. */
    private final Set<Segment> inForce = new HashSet<>();

    /**
     * Segments that a previous process protected, or should have: until the first {@link #restore} all, then those whose device is out of
     * reach. And those of this process whose device somebody took away from its namespace.
     */
    private Set<Segment> unexplained = Set.of();

    /** Segments of {@link #unexplained} whose device is out of reach, as of the last {@link #restore}. */
    private Set<Segment> outOfReach = Set.of();

    /** Ports of the devices of these, and while all is kept those of all devices. */
    private Set<VxlanPort> blockedPorts = Set.of();

    /** Whether a previous process blocked marked datagrams for networks of which none is up here. */
    private boolean blockUnexplained;

    /** Whether everything that is in force stays: a device that it protects could not be removed, or may still be found. */
    private boolean keepsAll;

    Protection(Host host, Encryption encryption, FirewallDetector detector) {
        this.host = host;
        this.encryption = encryption;
        this.detector = detector;
        keepBlocks();
    }

    /**
     * Sets the IP version of the datagrams. If it changes, the firewall is detected anew.
     *
     * @param local this node's address for VXLAN
     */
    void local(InetAddress local) {
        Transport now = local instanceof Inet6Address ? Transport.IPV6 : Transport.IPV4;
        if (transport != now) {
            transport = now;
            earlierDrops = ruleDrops();
            firewall = Optional.empty();
            looked = false;
            swept = false;
            keepBlocks();
        }
    }

    /** Keeps the block policy of a previous process, although no encrypted network is up here. */
    void keepBlock() {
        blockUnexplained = true;
        keepBlocks();
    }

    /**
     * Sets whether to keep all rules and block policies that are in force, and only to add to them.
     *
     * @param keep whether a device may be left that only these protect
     */
    void keepAll(boolean keep) {
        swept &= keep || !keepsAll;
        keepsAll = keep;
        keepBlocks();
    }

    /** Until the rules were looked at, devices may be out of reach that need the policies of a previous process. */
    private void keepBlocks() {
        encryption.keepBlocks(keepsAll || !looked || blocksUnexplained(), blockedPorts);
    }

    /** Returns whether marked datagrams must be blocked even if no encrypted network is up here. */
    boolean blocksUnexplained() {
        return blockUnexplained || !unexplained.isEmpty();
    }

    /**
     * Protects segments, before one of their devices comes up.
     *
     * @throws IOException naming what the kernel lacks, if that is the reason; what was in force before still is
     */
    void raise(Set<Segment> segments) throws IOException {
        protect(segments);
        priority().restore();
        encryption.block();
    }

    private void protect(Set<Segment> segments) throws IOException {
        look();
        firewall().protect(segments);
        inForce.addAll(segments);
    }

    /**
     * Removes the rules of segments that have no device any more, unless a device that is not known here needs them.
     *
     * @param devices segments of all known devices of encrypted networks that are left
     */
    void lower(Set<Segment> segments, Set<Segment> devices) throws IOException {
        look();
        Set<Segment> kept = new HashSet<>(segments);
        kept.retainAll(unexplained);
        Set<Segment> surplus = without(segments, outOfReach(kept, Set.of()).keySet());
        firewall().unprotect(surplus);
        swept &= !firewall().mayHaveSurplus();
        inForce.removeAll(surplus);
        unexplained = without(unexplained, surplus);
        outOfReach = without(outOfReach, surplus);
        if (devices.isEmpty() && inForce.isEmpty() && !blocksUnexplained()) {
            priority().remove();
        }
    }

    /**
     * Compares the rules with what the devices need, and repairs what differs. Rules of segments without a device are removed, unless a
     * device that is not known here may need them. While all are kept ({@link #keepAll}), it only adds what is missing.
     *
     * @param devices segments of all known devices of encrypted networks
     * @param up segments of all networks that are up, encrypted or not: where their devices are is known
     * @return how many segments had missing, wrong or surplus rules
     */
    int restore(Set<Segment> devices, Set<Segment> up) throws IOException {
        if (keepsAll) {
            restoreAll(devices);
            return priority().restore() ? 1 : 0;
        }
        if (devices.isEmpty() && inForce.isEmpty() && swept && listedAll && !blocksUnexplained()) {
            return 0;
        }
        looked &= listedAll;
        look();
        boolean known = !inForce.isEmpty() || blocksUnexplained();
        Set<Segment> wanted = new HashSet<>(unexplained(up));
        wanted.addAll(devices);
        int repaired = firewall().restore(wanted, unexplained);
        swept = !firewall().mayHaveSurplus();
        inForce.clear();
        inForce.addAll(wanted);
        if (wanted.isEmpty()) {
            // A table that nothing else of a previous process came with may be all that a device out of reach still has.
            if (known) {
                priority().remove();
            }
        } else if (priority().restore()) {
            repaired++;
        }
        return repaired;
    }

    /** Restores what is missing of everything that is known to need protection. */
    private void restoreAll(Set<Segment> devices) throws IOException {
        look();
        Set<Segment> all = new HashSet<>(devices);
        all.addAll(inForce);
        all.addAll(unexplained);
        Set<VxlanPort> ports = new HashSet<>(blockedPorts);
        all.forEach(segment -> ports.add(new VxlanPort(segment.port(), isIpv6())));
        blockedPorts = ports;
        keepBlocks();
        protect(all);
    }

    private boolean isIpv6() {
        return transport == Transport.IPV6;
    }

    /**
     * Keeps segments protected, although their network is not here, as long as there is a device of theirs. Somebody took it away from the
     * network's namespace, or that is out of reach. Nothing else may tell of the device: its rules are gone if somebody flushed them.
     */
    void keepIfOutOfReach(Set<Segment> segments) {
        Set<Segment> kept = new HashSet<>(unexplained);
        kept.addAll(outOfReach(segments, Set.of()).keySet());
        unexplained = Set.copyOf(kept);
        keepBlocks();
    }

    /** Looks for what a previous process protected, before that changes. */
    private void look() throws IOException {
        if (!looked) {
            InstalledRules found = firewall().installed();
            Set<Segment> all = new HashSet<>(unexplained);
            all.addAll(found.segments());
            unexplained = Set.copyOf(all);
            listedAll = found.complete();
            looked = true;
            keepBlocks();
        }
    }

    private Set<Segment> unexplained(Set<Segment> up) throws IOException {
        if (!swept || blocksUnexplained()) {
            Map<Segment, Set<VxlanPort>> found = outOfReach(unexplained, up);
            Set<Segment> kept = found.keySet();
            unexplained = Set.copyOf(kept);
            blockedPorts = found.values().stream().flatMap(Set::stream).collect(Collectors.toSet());
            if (!kept.isEmpty() && !kept.equals(outOfReach)) {
                log.warn("{}", describe(kept));
            }
            outOfReach = unexplained;
            blockUnexplained = blockUnexplained
                    && !Collections.disjoint(UdpPorts.bound(host.namespace()), encryption.ports());
            keepBlocks();
        }
        return unexplained;
    }

    /**
     * Returns those of these segments that have devices out of reach, with the ports of the devices.
     *
     * @param up segments whose device here is known, the only one of this node's IP version
     */
    private Map<Segment, Set<VxlanPort>> outOfReach(Set<Segment> segments, Set<Segment> up) {
        Map<Segment, Set<VxlanPort>> found = new HashMap<>();
        if (segments.isEmpty()) {
            return found;
        }
        try (VxlanProbe probe = host.route().links().vxlanProbe()) {
            for (Segment segment : segments) {
                for (boolean ipv6 : List.of(false, true)) {
                    if (!(up.contains(segment) && ipv6 == isIpv6()) && probe.finds(segment.vni(), segment.port(), ipv6)) {
                        found.computeIfAbsent(segment, _ -> new HashSet<>()).add(new VxlanPort(segment.port(), ipv6));
                    }
                }
            }
        } catch (KernelException failure) {
            log.debug("cannot determine whether there are devices of {}: {}", Segment.summary(segments), failure.getMessage());
            without(segments, up).forEach(segment -> found.put(segment, Set.of(new VxlanPort(segment.port(), isIpv6()))));
        }
        return found;
    }

    /** Returns a line on devices that are protected here and cannot be found, as of the last {@link #restore}. */
    Optional<String> outOfReach() {
        return outOfReach.isEmpty() ? Optional.empty() : Optional.of(describe(outOfReach));
    }

    private static String describe(Set<Segment> kept) {
        return ("keeping the firewall rules of %s: VXLAN devices that need them are in network namespaces"
                + " out of reach; remove their containers, or restart the host").formatted(Segment.summary(kept));
    }

    private static Set<Segment> without(Set<Segment> all, Set<Segment> some) {
        Set<Segment> left = new HashSet<>(all);
        left.removeAll(some);
        return Set.copyOf(left);
    }

    /** Returns the name of the firewall that has the rules; empty before the first rule. */
    Optional<String> firewallName() {
        return firewall.map(Firewall::toString);
    }

    /** Returns what the host's firewall rules dropped, as of the last comparison. */
    Drops ruleDrops() {
        return earlierDrops.plus(firewall.map(Firewall::drops).orElse(Drops.NONE));
    }

    /** Returns what the host's namespace dropped for its packet priority, as of the last comparison. */
    Drops priorityDrops() {
        return priority.map(SealedPriority::drops).orElse(Drops.NONE);
    }

    private SealedPriority priority() {
        if (priority.isEmpty()) {
            priority = Optional.of(SealedPriority.in(host.namespace(), SecurityPolicy.MARK));
        }
        return priority.get();
    }

    private Firewall firewall() throws IOException {
        if (firewall.isEmpty()) {
            firewall = Optional.of(detector.detect(transport));
        }
        return firewall.get();
    }

    /** Closes what is open to compare the rules. The rules stay. */
    @Override
    public void close() {
        priority.ifPresent(SealedPriority::close);
        detector.close();
    }
}
