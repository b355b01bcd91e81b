package io.vxseal.kernel.firewall;

import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netlink.Attributes;
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
 * A table of nf_tables in one namespace that stays as it was set. Whether it does is asked of the kernel by netlink
 * (linux/netfilter/nf_tables.h); nft runs only where something is to be set. What nft made is compared with what the
 * kernel listed right after nft had made it, without the numbers that a table made anew has.
 */
final class NftTable implements AutoCloseable {
    /** A family's word and its number in linux/netfilter.h. */
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

    /** A kind of object that a table is made of: messages that ask for all of them, and attributes that differ each time. */
    private enum Kind {
        /** Without NFTA_TABLE_USE and NFTA_TABLE_HANDLE. */
        TABLE(1, Set.of(3, 4)),
        /** Without NFTA_CHAIN_HANDLE and NFTA_CHAIN_USE. */
        CHAIN(4, Set.of(2, 6)),
        /** Without NFTA_RULE_HANDLE and NFTA_RULE_POSITION. */
        RULE(7, Set.of(3, 6));

        private final int request;
        @SuppressWarnings("ImmutableEnumChecker") // the sets above are
        private final Set<Integer> varying;

        Kind(int request, Set<Integer> varying) {
            this.request = request;
            this.varying = varying;
        }
    }

    private static final int NFNL_SUBSYS_NFTABLES = 10 << 8;

    /** The attribute with the table's name, in messages of each kind. */
    private static final int NFTA_TABLE = 1;

    /** Octets of nfgenmsg; its last two count the kernel's changes. */
    private static final int NFGENMSG = 4;

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

    /** What is read, the change that follows from it, and {@link #right}. */
    private final ReentrantLock lock = new ReentrantLock();

    /** The table as the kernel listed it after it was set; empty before. */
    private List<ByteBuffer> right = List.of();

    private NftTable(Namespace namespace, NetlinkSocket socket, Family family, String name, List<Chain> chains) {
        this.namespace = namespace;
        this.socket = socket;
        this.family = family;
        this.name = name;
        this.chains = chains;
    }

    /** Returns the table without setting it; the namespace is to stay open as long as the table is used. */
    static NftTable in(Namespace namespace, Family family, String name, List<Chain> chains) throws FirewallException {
        return new NftTable(namespace, open(namespace), family, name, List.copyOf(chains));
    }

    /** Returns whether the namespace has a table of this name, whatever is in it. */
    static boolean stands(Namespace namespace, Family family, String name) throws FirewallException {
        try (NetlinkSocket socket = open(namespace)) {
            return !list(socket, family, name, Kind.TABLE).isEmpty();
        }
    }

    private static NetlinkSocket open(Namespace namespace) throws FirewallException {
        try {
            return NetlinkSocket.open(namespace, NetlinkSocket.NETLINK_NETFILTER);
        } catch (KernelException e) {
            throw new FirewallException("ask for nftables' tables: " + e.getMessage() + "; modprobe nfnetlink nf_tables", e);
        }
    }

    /**
     * Sets the table in one transaction unless it stands as it was set. The first call in a process always sets it.
     *
     * @return whether anything else had stood before
     * @throws FirewallException if nft cannot be run or the kernel lacks something
     */
    boolean restore() throws FirewallException {
        lock.lock();
        try {
            List<ByteBuffer> standing = list();
            if (!right.isEmpty() && standing.equals(right)) {
                return false;
            }
            run("set", replacing() + "table " + this + " {\n"
                    + chains.stream().map(Chain::text).collect(Collectors.joining()) + "}\n");
            List<ByteBuffer> set = list();
            if (set.size() != objects()) {
                throw new FirewallException("set table " + this + ": it is not what was set; which other program changes it?");
            }
            right = set;
            return !standing.equals(right);
        } finally {
            lock.unlock();
        }
    }

    /** Removes the table; it is no error if it is gone already. */
    void remove() throws FirewallException {
        lock.lock();
        try {
            if (!list(socket, family, name, Kind.TABLE).isEmpty()) {
                run("remove", replacing());
            }
            right = List.of();
        } finally {
            lock.unlock();
        }
    }

    /** Deleting fails where there is nothing, so an empty one is made first. */
    private String replacing() {
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
                    (type, message) -> Attributes.of(message, NFGENMSG).text(NFTA_TABLE).equals(Optional.of(name))
                            ? Optional.of(lasting(kind, message))
                            : Optional.empty());
        } catch (KernelException e) {
            throw new FirewallException(e.getMessage() + "; modprobe nf_tables", e);
        }
    }

    /** A copy of the attributes that a table made anew has, too. */
    private static ByteBuffer lasting(Kind kind, ByteBuffer message) {
        ByteBuffer lasting = ByteBuffer.allocate(message.limit());
        int at = NFGENMSG;
        while (at + NetlinkMessage.NLA_HDRLEN <= message.limit()) {
            int length = Math.max(message.getShort(at) & 0xffff, NetlinkMessage.NLA_HDRLEN);
            int end = Math.min(at + length, message.limit());
            if (!kind.varying.contains(message.getShort(at + 2) & Attributes.NLA_TYPE_MASK)) {
                lasting.put(message.slice(at, end - at));
            }
            at += length + NetlinkMessage.ALIGNTO - 1 & -NetlinkMessage.ALIGNTO;
        }
        return lasting.flip();
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
