package io.vxseal.check.host;

import io.vxseal.check.Finding;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.ruleset.Drop;
import io.vxseal.kernel.ruleset.HostRules;
import io.vxseal.kernel.ruleset.Packet;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Check whether the host's firewall drops what the nodes send each other. Only what is dropped whatever is not known of a packet is a
 * failure: a rule for some addresses is one if the address of a node that the plugin knows is among them.
 *
 * @param host the host's network namespace
 * @param ports the plugin's
 * @param swarm the engine's swarm folder
 */
public record FirewallCheck(Namespace host, PortHolders.Ports ports, Path swarm, Node node) implements HostProbe {
    private static final String CHECK = "firewall";

    /** Other nodes whose addresses are tried. */
    private static final int MOST_NODES = 64;

    /** A kind of packet and what is lost with it. */
    private record Kind(String name, int protocol, OptionalInt port, String lost) {}

    @Override
    public List<Finding> run() throws IOException {
        List<Finding> findings = new ArrayList<>();
        try (HostRules rules = HostRules.read(host)) {
            for (Kind kind : kinds()) {
                incoming(rules, kind).ifPresent(findings::add);
                outgoing(rules, kind).ifPresent(findings::add);
            }
            if (rules.hasBothVariants()) {
                findings.add(Finding.warning(CHECK,
                        "both iptables-legacy and iptables-nft have rules: packets meet both, and each command shows its own only",
                        "move the rules of iptables-legacy-save to iptables-nft, then iptables-legacy -F in each table"));
            }
        }
        return findings.isEmpty()
                ? List.of(Finding.fit(CHECK, "no rule or policy here is sure to drop ESP, UDP port %d or TCP port %d"
                        .formatted(ports.vxlan(), ports.cluster())))
                : findings;
    }

    private List<Kind> kinds() {
        return List.of(
                new Kind("ESP (IP protocol 50)", Packet.ESP, OptionalInt.empty(), "packets of encrypted networks"),
                new Kind("UDP port " + ports.vxlan(), Packet.UDP, OptionalInt.of(ports.vxlan()),
                        "packets of plain networks and, once they are opened, of encrypted ones"),
                new Kind("TCP port " + ports.cluster(), Packet.TCP, OptionalInt.of(ports.cluster()), "keys and the addresses of containers"));
    }

    private Optional<Finding> incoming(HostRules rules, Kind kind) throws IOException {
        Optional<Dropped> dropped = dropped(rules, kind, true);
        if (dropped.isEmpty()) {
            return Optional.empty();
        }
        String found = "%s drops %s from %s".formatted(dropped.get().drop, kind.name, dropped.get().from);
        String remedy = dropped.get().drop.remedy(dropped.get().packet);
        if (kind.protocol != Packet.TCP) {
            return Optional.of(Finding.unfit(CHECK, "%s: %s are lost".formatted(found, kind.lost), remedy));
        }
        // Nodes connect to managers only.
        Optional<NodeCertificate> certificate = NodeCertificate.read(swarm);
        if (certificate.isPresent()) {
            return certificate.get().isWorkers() ? Optional.empty()
                    : Optional.of(Finding.unfit(CHECK, "%s: they get no %s from this manager".formatted(found, kind.lost), remedy));
        }
        return Optional.of(Finding.warning(CHECK, "%s: they get no %s from this node if it becomes a manager".formatted(found, kind.lost), remedy));
    }

    private Optional<Finding> outgoing(HostRules rules, Kind kind) throws KernelException {
        return dropped(rules, kind, false).map(dropped -> Finding.unfit(CHECK,
                "%s drops %s to %s: %s are lost".formatted(dropped.drop, kind.name, dropped.from, kind.lost),
                dropped.drop.remedy(dropped.packet)));
    }

    /**
     * A packet that is dropped.
     *
     * @param from the other end, in words
     */
    private record Dropped(Packet packet, Drop drop, String from) {}

    private Optional<Dropped> dropped(HostRules rules, Kind kind, boolean incoming) throws KernelException {
        boolean ipv6 = node.address().filter(Packet::isIpv6).isPresent();
        Packet any = Packet.of(incoming, ipv6, kind.protocol, kind.port).between(node.address(), Optional.empty());
        Optional<Dropped> dropped = rules.drop(any).map(drop -> new Dropped(any, drop, "other nodes"));
        for (InetAddress other : node.others().stream().filter(address -> Packet.isIpv6(address) == ipv6).limit(MOST_NODES).toList()) {
            if (dropped.isEmpty()) {
                Packet packet = any.between(node.address(), Optional.of(other));
                dropped = rules.drop(packet).map(drop -> new Dropped(packet, drop, "node " + other.getHostAddress()));
            }
        }
        return dropped;
    }
}
