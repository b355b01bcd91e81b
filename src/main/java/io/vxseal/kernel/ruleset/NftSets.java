package io.vxseal.kernel.ruleset;

import static io.vxseal.kernel.netlink.NftAttributes.NFTA_DATA_VALUE;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_LIST_ELEM;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_SET_ELEM_KEY;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_SET_ELEM_LIST_ELEMENTS;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_SET_ELEM_LIST_SET;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_SET_NAME;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_TABLE;

import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netlink.Attributes;
import io.vxseal.kernel.netlink.NetlinkMessage;
import io.vxseal.kernel.netlink.NetlinkSocket;
import io.vxseal.kernel.netlink.Nfnetlink;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;

/** The sets and maps of a namespace, each of which is read when a rule needs it: some have very many elements. */
final class NftSets implements AutoCloseable {
    private static final int NFTA_SET_FLAGS = 3;
    private static final int NFTA_SET_ELEM_DATA = 2;
    private static final int NFTA_SET_ELEM_FLAGS = 3;
    private static final int NFTA_SET_ELEM_KEY_END = 10;
    private static final int NFT_SET_INTERVAL = 0x4;
    private static final int NFT_SET_CONCAT = 0x80;
    private static final int NFT_SET_ELEM_INTERVAL_END = 0x1;
    private static final int NFT_SET_ELEM_CATCHALL = 0x2;

    private final NetlinkSocket socket;
    private final Map<Name, NftSet> known = new HashMap<>();
    private Optional<Map<Name, Integer>> flags = Optional.empty();

    /** @param socket of the namespace, which is closed with this */
    NftSets(NetlinkSocket socket) {
        this.socket = socket;
    }

    private record Name(int family, String table, String set) {}

    private record Element(Optional<ByteBuffer> key, int flags, boolean range, Verdict verdict) {
        boolean has(int flag) {
            return (flags & flag) != 0;
        }
    }

    /** Returns a set. One that is gone by now has no element. */
    NftSet get(int family, String table, String set) throws KernelException {
        var name = new Name(family, table, set);
        NftSet found = known.get(name);
        if (found == null) {
            found = read(name);
            known.put(name, found);
        }
        return found;
    }

    private NftSet read(Name name) throws KernelException {
        if (flags.isEmpty()) {
            Map<Name, Integer> all = new HashMap<>();
            socket.dump("list sets",
                    batch -> Nfnetlink.header(batch.add(Nfnetlink.NFT_MSG_GETSET, NetlinkMessage.NLM_F_DUMP), 0),
                    NftSets::readFlags).forEach(entry -> all.put(entry.getKey(), entry.getValue()));
            flags = Optional.of(all);
        }
        int own = flags.get().getOrDefault(name, NFT_SET_CONCAT);
        List<Element> list = socket.dump("list set " + name.set,
                        batch -> Nfnetlink.header(batch.add(Nfnetlink.NFT_MSG_GETSETELEM, NetlinkMessage.NLM_F_DUMP), name.family)
                                .attribute(NFTA_TABLE, name.table)
                                .attribute(NFTA_SET_ELEM_LIST_SET, name.set),
                        (_, message) -> Optional.of(readElements(message)))
                .stream().flatMap(List::stream).toList();
        NavigableMap<ByteBuffer, Optional<Verdict>> elements = NftSet.noElements();
        Optional<Verdict> others = Optional.empty();
        boolean plain = (own & NFT_SET_CONCAT) == 0;
        for (Element element : list) {
            plain &= !element.range;
            if (element.has(NFT_SET_ELEM_CATCHALL)) {
                others = Optional.of(element.verdict);
            } else if (element.key.isPresent()) {
                Optional<Verdict> verdict = element.has(NFT_SET_ELEM_INTERVAL_END) ? Optional.empty() : Optional.of(element.verdict);
                // Where an interval begins at which another ends, it is in the set.
                elements.merge(element.key.get(), verdict, (one, other) -> one.isPresent() ? one : other);
            }
        }
        return new NftSet(plain, (own & NFT_SET_INTERVAL) != 0, elements, others);
    }

    private static Optional<Map.Entry<Name, Integer>> readFlags(int type, ByteBuffer message) {
        Attributes set = Attributes.of(message, Nfnetlink.NFGENMSG_LENGTH);
        return Optional.of(Map.entry(
                new Name(Byte.toUnsignedInt(message.get(0)), set.text(NFTA_TABLE).orElse(""), set.text(NFTA_SET_NAME).orElse("")),
                NftData.number(set, NFTA_SET_FLAGS).orElse(0)));
    }

    private static List<Element> readElements(ByteBuffer message) {
        return Attributes.of(message, Nfnetlink.NFGENMSG_LENGTH)
                .get(NFTA_SET_ELEM_LIST_ELEMENTS)
                .map(elements -> Attributes.all(elements, NFTA_LIST_ELEM)).orElse(List.of()).stream()
                .map(payload -> Attributes.of(payload, 0))
                .map(element -> new Element(
                        element.nested(NFTA_SET_ELEM_KEY).get(NFTA_DATA_VALUE)
                                .map(key -> ByteBuffer.allocate(key.remaining()).put(key).flip()),
                        NftData.number(element, NFTA_SET_ELEM_FLAGS).orElse(0),
                        element.get(NFTA_SET_ELEM_KEY_END).isPresent(),
                        NftData.verdict(element, NFTA_SET_ELEM_DATA).orElse(Verdict.NEXT_RULE)))
                .toList();
    }

    @Override
    public void close() {
        socket.close();
    }
}
