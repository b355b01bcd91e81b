package io.vxseal.overlay;

import io.vxseal.encryption.Encryption;
import io.vxseal.kernel.firewall.Firewall;
import io.vxseal.kernel.firewall.Firewall.Transport;
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
 * The rule by which nothing of an encrypted network crosses in clear: <b>protection outlives what it protects</b>. As long as a
 * VXLAN device of an encrypted network exists and is up, its firewall rules and the policy that blocks marked datagrams are in
 * force, whoever made the device and on whatever port.
 *
 * <p>So protection goes up before a device ({@link #raise}), comes down after it ({@link #lower}), and where it cannot be had the
 * device goes down first. What an earlier process protected and this one knows no device of, because the run folder or the
 * state were lost, stays protected while any VXLAN device may still be using its port.
 *
 * <p>Not safe for use by several threads at once; the driver's lock guards it.
 */
final class Protection {
    private static final Logger log = LoggerFactory.getLogger(Protection.class);

    private final Host host;
    private final Encryption encryption;
    private final Driver.FirewallChoice firewalls;

    private Optional<Firewall> firewall = Optional.empty();
    private Optional<SealedPriority> priority = Optional.empty();
    private Transport transport = Transport.IPV4;

    /** Whether rules of an earlier process were looked for since the firewall was chosen. */
    private boolean swept;

    /** Segments whose rules this process knows to be in force. */
    private final Set<Segment> inForce = new HashSet<>();

    /** Segments that an earlier process protected and that no device known here belongs to. */
    private Set<Segment> unexplained = Set.of();

    /** Whether an earlier process blocked marked datagrams for networks of which none is known here. */
    private boolean blockUnexplained;

    Protection(Host host, Encryption encryption, Driver.FirewallChoice firewalls) {
        this.host = host;
        this.encryption = encryption;
        this.firewalls = firewalls;
    }

    /**
     * Sets which IP carries the datagrams. With another one than before, the firewall is chosen anew.
     *
     * @param local this node's address for VXLAN
     */
    void local(InetAddress local) {
        Transport now = local instanceof Inet6Address ? Transport.IPV6 : Transport.IPV4;
        if (transport != now) {
            transport = now;
            firewall = Optional.empty();
            swept = false;
        }
    }

    /** Keeps the block that an earlier process left, although no encrypted network is known here. */
    void keepBlock() {
        blockUnexplained = true;
        encryption.keepEarlierBlocks(true);
    }

    /** Returns whether marked datagrams must be blocked although no encrypted network is up here. */
    boolean blocksUnexplained() {
        return blockUnexplained || !unexplained.isEmpty();
    }

    /**
     * Puts the protection of segments in force, before a device of theirs comes up.
     *
     * @throws IOException naming what the kernel lacks, if that is why; what was in force before still is
     */
    void raise(Set<Segment> segments) throws IOException {
        firewall().protect(segments);
        inForce.addAll(segments);
        priority().restore();
        encryption.block();
    }

    /** Removes the rules of segments that no device is left of. */
    void lower(Set<Segment> segments) throws IOException {
        firewall().unprotect(segments);
        inForce.removeAll(segments);
        if (inForce.isEmpty()) {
            priority().remove();
        }
    }

    /**
     * Compares the rules with what the devices need and puts right what differs. Rules of segments that have no device go, unless a
     * device that is not known here may need them.
     *
     * @param devices segments of all devices of encrypted networks that are known here
     * @param vnis of all networks that are known here, up or not: where their devices are is known, too
     * @return how many segments had rules missing, wrong or too many
     */
    int restore(Set<Segment> devices, Set<Integer> vnis) throws IOException {
        if (devices.isEmpty() && swept && !blocksUnexplained()) {
            return 0;
        }
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

    private Set<Segment> unexplained(Set<Integer> vnis) throws IOException {
        if (!swept) {
            unexplained = firewall().protectedSegments();
        }
        if (!swept || blocksUnexplained()) {
            Set<Integer> bound = UdpPorts.bound(host.namespace());
            Set<Segment> kept = new HashSet<>(unexplained);
            kept.removeIf(segment -> vnis.contains(segment.vni()) || !bound.contains(segment.port()));
            if (!kept.isEmpty() && !kept.equals(unexplained)) {
                log.warn("keeping the firewall rules of {}: an earlier process protected them, and a device may still use their port", kept);
            }
            unexplained = Set.copyOf(kept);
            blockUnexplained &= !Collections.disjoint(bound, encryption.ports());
            encryption.keepEarlierBlocks(blocksUnexplained());
        }
        return unexplained;
    }

    /** Returns what makes the rules; empty before the first of them. */
    Optional<String> firewallName() {
        return firewall.map(Firewall::toString);
    }

    private SealedPriority priority() throws IOException {
        if (priority.isEmpty()) {
            priority = Optional.of(SealedPriority.in(host.namespace(), SecurityPolicy.MARK));
        }
        return priority.get();
    }

    private Firewall firewall() throws IOException {
        if (firewall.isEmpty()) {
            firewall = Optional.of(firewalls.choose(transport));
        }
        return firewall.get();
    }
}
