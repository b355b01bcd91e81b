package io.vxseal.overlay.watch;

import io.vxseal.check.OpenPort;
import java.net.InetAddress;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * The conditions of this node, derived from observations every few seconds. One begins when it has lasted for its kind's patience, and
 * ends when it is no longer observed.
 *
 * <p>Pure. Not safe for use by several threads at once.
 */
public final class Conditions {
    /** Time that a rotation may be late: managers have to be reached, and a minute lies between two rotations. */
    static final Duration ROTATION_DELAY = Duration.ofMinutes(2);

    /** Difference of two wall clocks that certificates and the times in logs bear. */
    static final Duration CLOCKS_DIFFER = Duration.ofMinutes(1);

    private final SilentPaths silent = new SilentPaths();
    private Map<Key, Lasting> observed = Map.of();

    private record Key(Condition.Kind kind, String subject) {}

    /** @param began whether it has lasted for long enough to count */
    private record Lasting(Condition condition, long firstNanos, boolean began) {}

    /**
     * What an observation has changed.
     *
     * @param begun conditions that count from now on
     * @param ended conditions that are over
     */
    public record Change(List<Condition> begun, List<Condition> ended) {}

    /** Takes an observation, and returns what has begun and ended with it. */
    public Change observe(Observation now) {
        Map<Key, Lasting> next = new LinkedHashMap<>();
        List<Condition> begun = new ArrayList<>();
        for (Condition condition : derive(now)) {
            Key key = new Key(condition.kind(), condition.subject());
            Lasting before = observed.getOrDefault(key, new Lasting(condition, now.nanos(), false));
            boolean begins = now.nanos() - before.firstNanos >= Duration.ofSeconds(condition.kind().patience()).toNanos();
            Condition current = new Condition(condition.kind(), condition.subject(), condition.text(), before.condition.since());
            next.put(key, new Lasting(current, before.firstNanos, before.began || begins));
            if (begins && !before.began) {
                begun.add(current);
            }
        }
        List<Condition> ended = observed.entrySet().stream()
                .filter(each -> each.getValue().began && !next.containsKey(each.getKey()))
                .map(each -> each.getValue().condition)
                .toList();
        observed = next;
        return new Change(begun, ended);
    }

    /** Returns the conditions that count now, in the order of their kinds. */
    public List<Condition> current() {
        return observed.values().stream().filter(Lasting::began).map(Lasting::condition).toList();
    }

    /** Returns the addresses of the nodes for which packets are sealed and from which none was opened since, whether they are silent yet or not. */
    public Set<String> openNodes() {
        return silent.open().stream().map(InetAddress::getHostAddress).collect(Collectors.toSet());
    }

    private List<Condition> derive(Observation now) {
        List<Condition> all = new ArrayList<>();
        Instant since = now.time();
        List<InetAddress> silentNodes = silent.observe(now.traffic(), now.nanos());
        if (now.inSwarm() && now.hubs() == 0) {
            all.add(new Condition(Condition.Kind.NO_HUB, "", "this node reaches no manager's plugin, so it learns of no new container"
                    + " elsewhere: is the plugin enabled on the managers, and the cluster port open to them?", since));
        }
        if (now.sealing() && !now.hasKeys()) {
            all.add(new Condition(Condition.Kind.KEYS_MISSING, "", "encrypted networks are up here, and this node has no keys:"
                    + " is the plugin enabled on the managers, and the cluster port open to them?", since));
        }
        if (now.keyAge().filter(age -> age.compareTo(now.rotation().plus(ROTATION_DELAY)) > 0).isPresent()) {
            all.add(new Condition(Condition.Kind.KEYS_OVERDUE, "", "the keys should have been rotated, which waits for a majority of"
                    + " the managers: enable the plugin on all of them, and open the cluster port between them", since));
        }
        all.addAll(silences(silentNodes, now));
        all.addAll(smallMtus(now));
        for (Observation.Clock clock : now.clocks()) {
            if (clock.ahead().abs().compareTo(CLOCKS_DIFFER) > 0) {
                all.add(new Condition(Condition.Kind.CLOCK, clock.manager(), ("the clock of manager %s is %d s %s this node's: set the wrong one"
                        + " of the two (timedatectl set-ntp true), before certificates seem invalid").formatted(clock.manager(),
                        clock.ahead().abs().toSeconds(), clock.ahead().isNegative() ? "behind" : "ahead of"), since));
            }
        }
        now.refused().forEach((network, why) -> all.add(new Condition(Condition.Kind.REFUSED, network,
                "network %s was refused here, so its containers do not start: %s".formatted(network, why), since)));
        now.obstacles().forEach(line -> all.add(new Condition(Condition.Kind.OBSTACLE, line, line, since)));
        return all;
    }

    /** Returns one condition for each node: what the kernel's counters say, else that containers there answer nothing. */
    private static Collection<Condition> silences(List<InetAddress> byCounters, Observation now) {
        Map<String, Condition> byNode = new LinkedHashMap<>();
        for (InetAddress node : byCounters) {
            String address = node.getHostAddress();
            byNode.put(address, new Condition(Condition.Kind.PATH_SILENT, address, ("node %s: packets are sealed for it and none comes back:"
                    + " is IP protocol 50 (ESP) open between the nodes, in both directions (on each: %s), and UDP port %d accepted there after"
                    + " decryption (%s)?").formatted(address, OpenPort.esp(), now.port(), OpenPort.decryptedUdp(now.port())), now.time()));
        }
        for (Observation.Unanswered path : now.unanswered()) {
            byNode.putIfAbsent(path.node(), new Condition(Condition.Kind.PATH_SILENT, path.node(), path.encrypted()
                    ? ("node %s: packets are decrypted here and there, and no container there answers over network %s: ESP is open, and a"
                            + " firewall on one of the two nodes drops UDP port %d after decryption (%s)").formatted(
                            path.node(), path.network(), now.port(), OpenPort.decryptedUdp(now.port()))
                    : ("node %s: no container there answers over network %s: is the node up, and UDP port %d open between the nodes, in both"
                            + " directions (on each: %s)?").formatted(path.node(), path.network(), now.port(), OpenPort.udp(now.port())),
                    now.time()));
        }
        return byNode.values();
    }

    /** Returns one condition for each node: what a route says, else that packets are lost. */
    private static Collection<Condition> smallMtus(Observation now) {
        Map<String, Condition> byNode = new LinkedHashMap<>();
        for (Observation.Route route : now.routes()) {
            if (route.mtu() < route.needed()) {
                String address = route.node().getHostAddress();
                byNode.put(address, new Condition(Condition.Kind.PATH_MTU, address, ("node %1$s: the route to it carries packets of %2$d"
                        + " octets, and networks here need %3$d: create them with com.docker.network.driver.mtu=%2$d, or raise the MTU")
                        .formatted(address, route.mtu(), route.needed()), now.time()));
            }
        }
        for (Observation.LostPackets lost : now.lost()) {
            byNode.putIfAbsent(lost.node(), new Condition(Condition.Kind.PATH_MTU, lost.node(), ("node %s: packets of %d octets, which network %s"
                    + " promises, are lost on the way to its containers, and small ones pass: vxseal check finds the largest that passes; raise the MTU between the"
                    + " nodes, or create the network with a smaller com.docker.network.driver.mtu")
                    .formatted(lost.node(), lost.mtu(), lost.network()), now.time()));
        }
        return byNode.values();
    }
}
