package io.vxseal.encryption;

import io.vxseal.address.NodeAddresses;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * One thing that happens in a swarm of {@value #HOSTS} hosts: to all of them, as keys do, or to one. Nodes are
 * numbered; each host has {@value #ADDRESSES_PER_HOST} of the numbers and moves between them.
 */
sealed interface Action {
    int HOSTS = 3;
    int ADDRESSES_PER_HOST = 2;
    int NODES = HOSTS * ADDRESSES_PER_HOST;

    /** Few enough that keys meet again, with the same octets or with others. */
    int TAGS = 7;

    /** Initial keys, or a ring that differs from the one in force in any way. */
    record Replace(KeyRing ring) implements Action {}

    /** Any mix, much of it refused. */
    record Update(Optional<Key> added, OptionalInt primary, OptionalInt prune) implements Action {}

    /**
     * Rotation as a swarm does it every twelve hours: the newest key becomes the primary, the oldest is removed, and
     * one is added.
     */
    record Rotate(Key added) implements Action {}

    /** A node has its first endpoint on a network that the host is on. */
    record Join(int host, int node) implements Action {}

    /** It had its last. */
    record Leave(int host, int node) implements Action {}

    /** The host's first encrypted network comes up, or its last one goes. */
    record Seal(int host, boolean up) implements Action {}

    /** The host's own addresses change. */
    record Move(int host, int bind, int advertise) implements Action {}

    /** The kernel refuses a step of the host's next change; {@code dies}: the plugin dies there. */
    record Fail(int host, int step, boolean dies) implements Action {}

    /** The host compares with its kernel. */
    record Repair(int host) implements Action {}

    /** The host's plugin is another process from now on. */
    record Restart(int host) implements Action {}

    /** Keys, networks and all nodes: from here the sequences part. */
    static List<Action> setup() {
        List<Action> actions = new ArrayList<>();
        actions.add(new Replace(new KeyRing(List.of(key(1, 0), key(2, 0), key(3, 0)))));
        for (int host = 0; host < HOSTS; host++) {
            actions.add(new Seal(host, true));
            for (int node = 0; node < NODES; node += ADDRESSES_PER_HOST) {
                actions.add(new Join(host, node));
            }
        }
        return actions;
    }

    /**
     * Returns a random action.
     *
     * @param hosts the action is one of these hosts' alone, or all hosts'
     */
    static Action draw(Random random, int hosts) {
        int host = random.nextInt(hosts);
        int node = random.nextInt(NODES);
        return switch (random.nextInt(16)) {
            case 0, 1, 2 -> new Rotate(key(random));
            case 3, 4, 5 -> new Update(
                    random.nextBoolean() ? Optional.of(key(random)) : Optional.empty(), tag(random), tag(random));
            case 6, 7 -> new Replace(ring(random));
            case 8, 9 -> new Join(host, node);
            case 10 -> new Leave(host, node);
            case 11 -> new Seal(host, random.nextInt(4) > 0);
            case 12 -> new Move(host, random.nextInt(ADDRESSES_PER_HOST), random.nextInt(ADDRESSES_PER_HOST));
            case 13 -> new Fail(host, random.nextInt(20), random.nextBoolean());
            case 14 -> new Repair(host);
            default -> new Restart(host);
        };
    }

    /** Returns a random ring of one to four keys. */
    static KeyRing ring(Random random) {
        List<Integer> tags = new ArrayList<>(IntStream.rangeClosed(1, TAGS).boxed().toList());
        Collections.shuffle(tags, random);
        return new KeyRing(tags.subList(0, 1 + random.nextInt(4)).stream()
                .map(tag -> key(tag, spelling(random)))
                .toList());
    }

    /** Returns a key. Its length follows from its tag; two keys with one tag differ by their spelling. */
    static Key key(int tag, int spelling) {
        byte[] octets = new byte[16 + 8 * (tag % 3)];
        Arrays.fill(octets, (byte) (16 * spelling + tag));
        return new Key(octets, tag);
    }

    private static Key key(Random random) {
        return key(1 + random.nextInt(TAGS), spelling(random));
    }

    /** Returns a random spelling, mostly the same one, so that two different keys seldom have one tag. */
    private static int spelling(Random random) {
        return random.nextInt(8) == 0 ? 1 : 0;
    }

    private static OptionalInt tag(Random random) {
        return random.nextBoolean() ? OptionalInt.of(1 + random.nextInt(TAGS)) : OptionalInt.empty();
    }

    static InetAddress address(int node, boolean ipv6) {
        return InetAddress.ofLiteral((ipv6 ? "fd00:55::" : "10.55.0.") + (1 + node));
    }

    /** Returns a host's addresses at the beginning. */
    static NodeAddresses home(int host, boolean ipv6) {
        InetAddress address = address(host * ADDRESSES_PER_HOST, ipv6);
        return new NodeAddresses(address, address);
    }

    /**
     * Returns what is wanted of a host after this action.
     *
     * @throws IllegalArgumentException if it is an update that the ring refuses
     */
    default Wanted asks(int host, Wanted before) {
        boolean ipv6 = before.ends().bind().getAddress().length == 16;
        return switch (this) {
            case Replace(KeyRing ring) -> before.ring(ring);
            case Update(Optional<Key> added, OptionalInt primary, OptionalInt prune) ->
                before.ring(before.ring().update(added, primary, prune));
            case Rotate(Key added) -> before.ring(rotated(before.ring(), added));
            case Join(int at, int node) when at == host -> {
                Set<InetAddress> nodes = new HashSet<>(before.nodes());
                nodes.add(address(node, ipv6));
                yield before.nodes(nodes);
            }
            case Leave(int at, int node) when at == host -> {
                Set<InetAddress> nodes = new HashSet<>(before.nodes());
                nodes.remove(address(node, ipv6));
                yield before.nodes(nodes);
            }
            case Seal(int at, boolean up) when at == host -> before.sealing(up);
            case Move(int at, int bind, int advertise) when at == host -> before.ends(new NodeAddresses(
                    address(host * ADDRESSES_PER_HOST + advertise, ipv6),
                    address(host * ADDRESSES_PER_HOST + bind, ipv6)));
            default -> before;
        };
    }

    private static KeyRing rotated(KeyRing ring, Key added) {
        List<Key> keys = ring.keys();
        if (keys.isEmpty()) {
            throw new IllegalArgumentException("nothing to rotate");
        }
        return ring.update(
                Optional.of(added),
                OptionalInt.of(keys.getLast().tag()),
                keys.size() < 3 ? OptionalInt.empty() : OptionalInt.of(keys.get(1).tag()));
    }

    /** Returns whether a host has to apply this action: it concerns all hosts, or this one. */
    default boolean concerns(int host) {
        return switch (this) {
            case Replace _, Update _, Rotate _ -> true;
            case Join join -> join.host() == host;
            case Leave leave -> leave.host() == host;
            case Seal seal -> seal.host() == host;
            case Move move -> move.host() == host;
            case Repair repair -> repair.host() == host;
            case Restart restart -> restart.host() == host;
            case Fail _ -> false;
        };
    }
}
