package io.vxseal.overlay;

import io.vxseal.encryption.Encryption;
import io.vxseal.kernel.firewall.Drops;
import io.vxseal.kernel.firewall.Firewall;
import io.vxseal.kernel.firewall.Firewall.Transport;
import io.vxseal.kernel.firewall.FirewallDetector;
import io.vxseal.kernel.firewall.InstalledRules;
import io.vxseal.kernel.firewall.SealedPriority;
import io.vxseal.kernel.firewall.Segment;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netns.UdpPorts;
import io.vxseal.kernel.xfrm.SecurityPolicy;
import java.io.IOException;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.util.Collections;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
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
     * reach.
     */
    private Set<Segment> unexplained = Set.of();

    /** Segments of {@link #unexplained} whose device is out of reach, as of the last {@link #restore}. */
    private Set<Segment> outOfReach = Set.of();

    /** Whether a previous process blocked marked datagrams for networks of which none is up here. */
    private boolean blockUnexplained;

    /** Whether everything that is in force stays, because a device that it protects could not be removed. */
    private boolean keepsAll;

    Protection(Host host, Encryption encryption, FirewallDetector detector) {
        this.host = host;
        this.encryption = encryption;
        this.detector = detector;
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
        }
    }

    /** Keeps the block policy of a previous process, although no encrypted network is up here. */
    void keepBlock() {
        blockUnexplained = true;
        keepBlocks();
    }

    /**
     * Protects segments of networks without a namespace in reach, as long as there is a VXLAN device with their VNI and port. Nothing else
     * may tell of it: the rules that a previous process made are gone if somebody flushed them.
     */
    void protectIfPresent(Set<Segment> segments) {
        Set<Segment> all = new HashSet<>(unexplained);
        segments.stream().filter(this::mayHaveDevice).forEach(all::add);
        unexplained = Set.copyOf(all);
        keepBlocks();
    }

    /**
     * Sets whether to keep all rules and block policies that are in force, and only to add to them.
     *
     * @param keep whether a device is left that only these protect
     */
    void keepAll(boolean keep) {
        keepsAll = keep;
        keepBlocks();
    }

    private void keepBlocks() {
        encryption.keepEarlierBlocks(keepsAll || blocksUnexplained());
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
        Set<Segment> surplus = new HashSet<>(segments);
        surplus.removeIf(segment -> unexplained.contains(segment) && mayHaveDevice(segment));
        firewall().unprotect(surplus);
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
            protect(devices);
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
        int repaired = firewall().restore(wanted);
        swept = true;
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

    /** Looks for what a previous process protected, before that changes. */
    private void look() throws IOException {
        if (!looked) {
            InstalledRules found = firewall().installed();
            Set<Segment> all = new HashSet<>(unexplained);
            all.addAll(found.segments());
            unexplained = Set.copyOf(all);
            listedAll = found.complete();
            looked = true;
        }
    }

    private Set<Segment> unexplained(Set<Segment> up) throws IOException {
        if (!swept || blocksUnexplained()) {
            Set<Segment> kept = new HashSet<>(unexplained);
            kept.removeIf(segment -> up.contains(segment) || !mayHaveDevice(segment));
            unexplained = Set.copyOf(kept);
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

    private boolean mayHaveDevice(Segment segment) {
        try {
            return host.route().links().hasVxlan(segment.vni(), segment.port());
        } catch (KernelException failure) {
            log.debug("cannot determine whether there is a device of {}: {}", segment, failure.getMessage());
            return true;
        }
    }

    /** Returns a line on devices that a previous process protected and this one cannot find, as of the last {@link #restore}. */
    Optional<String> outOfReach() {
        return outOfReach.isEmpty() ? Optional.empty() : Optional.of(describe(outOfReach));
    }

    private static String describe(Set<Segment> kept) {
        return ("keeping the firewall rules that a previous run made for %s: VXLAN devices that need them are in network namespaces"
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
