package io.vxseal.kernel.firewall;

import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netlink.Attributes;
import io.vxseal.kernel.netlink.NetlinkDescriptor;
import io.vxseal.kernel.netlink.NetlinkHeader;
import io.vxseal.kernel.netlink.NetlinkMessage;
import io.vxseal.kernel.netlink.NetlinkSocket;
import io.vxseal.kernel.netns.Namespace;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.Collectors;

/**
 * A table of nf_tables in one namespace, and its repair. Whether the table is unchanged is asked of the kernel by netlink
 * ({@code linux/netfilter/nf_tables.h}); nft runs only to change it. The reference is what the kernel listed right after nft
 * made the table, without the numbers that differ each time.
 */
final class NftTable implements AutoCloseable {
    /** A family, by nft's word and its number in {@code linux/netfilter.h}. */
    enum Family {
        INET("inet", 1),
        BRIDGE("bridge", 7);

        private final String word;
        private final int number;

        Family(String word, int number) {
            this.word = word;
            this.number = number;
        }
    }

    private static final int NFNL_SUBSYS_NFTABLES = 10 << 8;

    // linux/netfilter/nf_tables.h: messages, attributes
    private static final int NFT_MSG_GETTABLE = 1;
    private static final int NFT_MSG_GETCHAIN = 4;
    private static final int NFT_MSG_GETRULE = 7;
    private static final int NFTA_TABLE_USE = 3;
    private static final int NFTA_TABLE_HANDLE = 4;
    private static final int NFTA_CHAIN_HANDLE = 2;
    private static final int NFTA_CHAIN_USE = 6;
    private static final int NFTA_RULE_HANDLE = 3;
    private static final int NFTA_RULE_POSITION = 6;

    /** A kind of object in a table: the request for all of them, and the attributes that differ in an equal table. */
    private enum Kind {
        TABLE(NFT_MSG_GETTABLE, Set.of(NFTA_TABLE_USE, NFTA_TABLE_HANDLE)),
        CHAIN(NFT_MSG_GETCHAIN, Set.of(NFTA_CHAIN_HANDLE, NFTA_CHAIN_USE)),
        RULE(NFT_MSG_GETRULE, Set.of(NFTA_RULE_HANDLE, NFTA_RULE_POSITION));

        private final int request;
        @SuppressWarnings("ImmutableEnumChecker") // the sets above are
        private final Set<Integer> varying;

        Kind(int request, Set<Integer> varying) {
            this.request = request;
            this.varying = varying;
        }
    }

    /** Name of the table: NFTA_TABLE_NAME, NFTA_CHAIN_TABLE and NFTA_RULE_TABLE. */
    private static final int NFTA_TABLE = 1;

    /*
     * struct nfgenmsg {            // linux/netfilter/nfnetlink.h
     *     __u8 nfgen_family;       // 0
     *     __u8 version;            // 1
     *     __be16 res_id;           // 2: number of the ruleset's generation
     * };                           // 4
     */
    private static final int NFGENMSG_LENGTH = 4;

    /**
     * A base chain.
     *
     * @param hook type, hook and priority in nft's words
     */
    record Chain(String name, String hook, List<String> rules) {
        private String text() {
            return "chain %s { type %s; policy accept; %s; }\n".formatted(name, hook, String.join("; ", rules));
        }
    }

    private final Namespace namespace;
    private final NetlinkSocket socket;
    private final Family family;
    private final String name;
    private final List<Chain> chains;

    /** Guards the table from reading it to the change that follows, and {@link #reference}. Held over nft. */
    private final ReentrantLock lock = new ReentrantLock();

    /** The table as the kernel listed it after nft made it; empty before. */
    private List<ByteBuffer> reference = List.of();

    private NftTable(Namespace namespace, NetlinkSocket socket, Family family, String name, List<Chain> chains) {
        this.namespace = namespace;
        this.socket = socket;
        this.family = family;
        this.name = name;
        this.chains = chains;
    }

    /** Returns a table without making it. The namespace must stay open as long as the table is used. */
    static NftTable in(Namespace namespace, Family family, String name, List<Chain> chains) throws FirewallException {
        return new NftTable(namespace, open(namespace), family, name, List.copyOf(chains));
    }

    /** Returns whether the namespace has a table with that name, whatever its content. */
    static boolean exists(Namespace namespace, Family family, String name) throws FirewallException {
        try (NetlinkSocket socket = open(namespace)) {
            return !list(socket, family, name, Kind.TABLE).isEmpty();
        }
    }

    private static NetlinkSocket open(Namespace namespace) throws FirewallException {
        try {
            return NetlinkSocket.open(namespace, NetlinkDescriptor.NETLINK_NETFILTER);
        } catch (KernelException e) {
            throw new FirewallException("ask for nftables' tables: " + e.getMessage() + "; modprobe nfnetlink nf_tables", e);
        }
    }

    /**
     * Makes the table in one transaction, unless it is unchanged since the last call. The first call of an object always
     * makes it.
     *
     * @return whether the table was missing or different
     * @throws FirewallException if nft cannot be run or the kernel lacks something
     */
    boolean restore() throws FirewallException {
        lock.lock();
        try {
            List<ByteBuffer> before = list();
            if (!reference.isEmpty() && before.equals(reference)) {
                return false;
            }
            run("set", replacement() + "table " + this + " {\n"
                    + chains.stream().map(Chain::text).collect(Collectors.joining()) + "}\n");
            List<ByteBuffer> after = list();
            if (after.size() != objects()) {
                throw new FirewallException("set table " + this + ": another program changes it, too");
            }
            reference = after;
            return !before.equals(reference);
        } finally {
            lock.unlock();
        }
    }

    /** Removes the table. It is no error if it is gone. */
    void remove() throws FirewallException {
        lock.lock();
        try {
            if (!list(socket, family, name, Kind.TABLE).isEmpty()) {
                run("remove", replacement());
            }
            reference = List.of();
        } finally {
            lock.unlock();
        }
    }

    /** Returns commands that delete the table. They add it first, because deleting a missing table fails. */
    private String replacement() {
        return "table %1$s\ndelete table %1$s\n".formatted(this);
    }

    private int objects() {
        return 1 + chains.stream().mapToInt(chain -> 1 + chain.rules.size()).sum();
    }

    private void run(String verb, String ruleset) throws FirewallException {
        CommandRunner.Outcome outcome = CommandRunner.in(namespace).run(List.of("nft", "-f", "-"), ruleset);
        if (!outcome.done()) {
            throw outcome.failed(verb + " table " + this, remedy(outcome));
        }
    }

    private String remedy(CommandRunner.Outcome outcome) {
        if (outcome.notFound()) {
            return "install the nftables package";
        }
        if (outcome.denied()) {
            return CommandRunner.CAPABILITY;
        }
        return switch (family) {
            case BRIDGE -> "the kernel may lack nftables for bridges (CONFIG_NF_TABLES_BRIDGE): modprobe nf_tables";
            case INET -> "the kernel may lack nftables' \"ipsec\" (CONFIG_NFT_XFRM): modprobe nf_tables nft_xfrm";
        };
    }

    private List<ByteBuffer> list() throws FirewallException {
        var all = new ArrayList<ByteBuffer>();
        for (Kind kind : Kind.values()) {
            all.addAll(list(socket, family, name, kind));
        }
        return all;
    }

    private static List<ByteBuffer> list(NetlinkSocket socket, Family family, String name, Kind kind)
            throws FirewallException {
        try {
            return socket.dump(
                    "list table " + family.word + " " + name,
                    batch -> batch.add(NFNL_SUBSYS_NFTABLES | kind.request, NetlinkMessage.NLM_F_DUMP)
                            .u8(family.number).u8(0).u16(0),
                    (type, message) -> Attributes.of(message, NFGENMSG_LENGTH).text(NFTA_TABLE).equals(Optional.of(name))
                            ? Optional.of(constantAttributes(kind, message))
                            : Optional.empty());
        } catch (KernelException e) {
            throw new FirewallException(e.getMessage() + "; modprobe nf_tables", e);
        }
    }

    /** Returns a copy of the attributes that do not differ in an equal table. */
    private static ByteBuffer constantAttributes(Kind kind, ByteBuffer message) {
        ByteBuffer constant = ByteBuffer.allocate(message.limit());
        int at = NFGENMSG_LENGTH;
        while (at + NetlinkMessage.NLA_HDRLEN <= message.limit()) {
            int length = Math.max(Attributes.length(message, at), NetlinkMessage.NLA_HDRLEN);
            int end = Math.min(at + length, message.limit());
            if (!kind.varying.contains(Attributes.type(message, at))) {
                constant.put(message.slice(at, end - at));
            }
            at += NetlinkHeader.align(length);
        }
        return constant.flip();
    }

    @Override
    public String toString() {
        return family.word + " " + name;
    }

    @Override
    public void close() {
        socket.close();
    }
}
