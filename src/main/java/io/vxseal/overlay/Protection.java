package io.vxseal.overlay;

import io.vxseal.encryption.Encryption;
import io.vxseal.kernel.firewall.Drops;
import io.vxseal.kernel.firewall.Firewall;
import io.vxseal.kernel.firewall.Firewall.Transport;
import io.vxseal.kernel.firewall.FirewallDetector;
import io.vxseal.kernel.firewall.SealedPriority;
import io.vxseal.kernel.firewall.Segment;
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
 * lost. These stay protected while a VXLAN device may still use their port.
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

    /** Whether rules that nothing needs were removed since the firewall was detected. */
    private boolean swept;

    /** Segments whose rules this process knows to be in force. */
    private final Set<Segment> inForce = new HashSet<>();

    /** Segments that a previous process protected: until the first {@link #restore} all, then those that have no known device. */
    private Set<Segment> unexplained = Set.of();

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

    /** Removes the rules of segments that have no device any more, unless a device that is not known here may need them. */
    void lower(Set<Segment> segments) throws IOException {
        Set<Segment> surplus = new HashSet<>(segments);
        surplus.removeAll(unexplained);
        firewall().unprotect(surplus);
        inForce.removeAll(surplus);
        if (inForce.isEmpty()) {
            priority().remove();
        }
    }

    /**
     * Compares the rules with what the devices need, and repairs what differs. Rules of segments without a device are removed, unless a
     * device that is not known here may need them. While all are kept ({@link #keepAll}), it only adds what is missing.
     *
     * @param devices segments of all known devices of encrypted networks
     * @param vnis VNIs of all networks that are up: where their devices are is known
     * @return how many segments had missing, wrong or surplus rules
     */
    int restore(Set<Segment> devices, Set<Integer> vnis) throws IOException {
        if (keepsAll) {
            protect(devices);
            return priority().restore() ? 1 : 0;
        }
        if (devices.isEmpty() && inForce.isEmpty() && swept && !blocksUnexplained()) {
            return 0;
        }
        look();
        Set<Segment> wanted = new HashSet<>(unexplained(vnis));
        wanted.addAll(devices);
        int repaired = firewall().restore(wanted);
        swept = true;
        inForce.clear();
        inForce.addAll(wanted);
        if (wanted.isEmpty()) {
            priority().remove();
        } else if (priority().restore()) {
            repaired++;
        }
        return repaired;
    }

    /** Looks for what a previous process protected, before that changes. */
    private void look() throws IOException {
        if (!looked) {
            unexplained = Set.copyOf(firewall().protectedSegments());
            looked = true;
        }
    }

    private Set<Segment> unexplained(Set<Integer> vnis) throws IOException {
        if (!swept || blocksUnexplained()) {
            Set<Integer> bound = UdpPorts.bound(host.namespace());
            Set<Segment> kept = new HashSet<>(unexplained);
            kept.removeIf(segment -> vnis.contains(segment.vni()) || !bound.contains(segment.port()));
            if (!kept.isEmpty() && !(swept && kept.equals(unexplained))) {
                log.warn("keeping the firewall rules of {}: a previous run protected them, and a device may still use their port", kept);
            }
            unexplained = Set.copyOf(kept);
            blockUnexplained &= !Collections.disjoint(bound, encryption.ports());
            keepBlocks();
        }
        return unexplained;
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
