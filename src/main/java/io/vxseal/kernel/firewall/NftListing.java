package io.vxseal.kernel.firewall;

import io.vxseal.kernel.libc.Errno;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netlink.NetlinkSocket;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What a table contains, as the kernel lists it. Equal tables have equal listings.
 *
 * @param objects the table, its chains, rules, sets and counters, without what they have counted; empty if there is no table
 * @param keys in each set, sorted, because the kernel lists them in any order
 */
record NftListing(List<ByteBuffer> objects, Map<String, List<ByteBuffer>> keys) {
    /** The listing of a table that does not exist. */
    static final NftListing NONE = new NftListing(List.of(), Map.of());

    /** Lists the table with this name. */
    static NftListing read(NetlinkSocket socket, NftFamily family, String table) throws KernelException {
        var objects = new ArrayList<ByteBuffer>();
        var keys = new LinkedHashMap<String, List<ByteBuffer>>();
        for (NftMessages.Kind kind : NftMessages.Kind.values()) {
            List<ByteBuffer> some = objects(socket, family, table, kind);
            objects.addAll(some);
            if (kind == NftMessages.Kind.SET) {
                for (ByteBuffer set : some) {
                    String name = NftMessages.setName(set);
                    keys.put(name, keys(socket, family, table, name));
                }
            }
        }
        return new NftListing(List.copyOf(objects), Map.copyOf(keys));
    }

    /** Reads what the table's counters have counted; nothing if there is no such table. */
    static Drops drops(NetlinkSocket socket, NftFamily family, String table) throws KernelException {
        var counted = new HashMap<String, Long>();
        socket.dump(
                        "read counters of table " + family.word + " " + table,
                        batch -> NftMessages.writeDump(batch, NftMessages.Kind.COUNTER, family),
                        (_, message) -> NftMessages.readCounter(message, table))
                .forEach(counter -> counted.put(counter.getKey(), counter.getValue()));
        return new Drops(
                counted.getOrDefault(DropCounter.INCOMING.id, 0L), counted.getOrDefault(DropCounter.OUTGOING.id, 0L));
    }

    /** Returns whether there is a table with this name, whatever its content. */
    static boolean exists(NetlinkSocket socket, NftFamily family, String table) throws KernelException {
        return !objects(socket, family, table, NftMessages.Kind.TABLE).isEmpty();
    }

    private static List<ByteBuffer> objects(
            NetlinkSocket socket, NftFamily family, String table, NftMessages.Kind kind) throws KernelException {
        try {
            return socket.dump(
                    "list table " + family.word + " " + table,
                    batch -> NftMessages.writeDump(batch, kind, family),
                    (_, message) -> NftMessages.readObject(message, kind, table));
        } catch (KernelException failure) {
            // The kernel has no nf_tables (nfnetlink_rcv_msg()), so there is no table either.
            if (failure.errno() == Errno.EINVAL) {
                return List.of();
            }
            throw failure;
        }
    }

    private static List<ByteBuffer> keys(NetlinkSocket socket, NftFamily family, String table, String set)
            throws KernelException {
        try {
            return socket
                    .dump(
                            "list set %s of table %s %s".formatted(set, family.word, table),
                            batch -> NftMessages.writeElementDump(batch, family, table, set),
                            (_, message) -> Optional.of(NftMessages.readKeys(message)))
                    .stream()
                    .flatMap(List::stream)
                    .sorted()
                    .toList();
        } catch (KernelException failure) {
            // It was deleted meanwhile.
            if (failure.errno() == Errno.ENOENT) {
                return List.of();
            }
            throw failure;
        }
    }

    boolean isEmpty() {
        return objects.isEmpty();
    }

    /** Returns how many objects and elements there are. */
    int size() {
        return objects.size() + keys.values().stream().mapToInt(List::size).sum();
    }

    /** Returns the keys of a set; none if there is no such set. */
    List<ByteBuffer> keys(String set) {
        return keys.getOrDefault(set, List.of());
    }
}
