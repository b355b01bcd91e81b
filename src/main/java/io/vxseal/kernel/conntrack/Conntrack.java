package io.vxseal.kernel.conntrack;

import io.vxseal.kernel.libc.Errno;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netlink.Attributes;
import io.vxseal.kernel.netlink.NetlinkDescriptor;
import io.vxseal.kernel.netlink.NetlinkMessage;
import io.vxseal.kernel.netlink.NetlinkSocket;
import io.vxseal.kernel.netlink.Nfnetlink;
import io.vxseal.kernel.netns.Namespace;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
import java.util.function.BiPredicate;

/** Tracked IPv4 connections of a network namespace ({@code linux/netfilter/nfnetlink_conntrack.h}). */
public final class Conntrack implements AutoCloseable {
    private static final int IPCTNL_MSG_CT_GET = Nfnetlink.NFNL_SUBSYS_CTNETLINK | 1;
    private static final int IPCTNL_MSG_CT_DELETE = Nfnetlink.NFNL_SUBSYS_CTNETLINK | 2;
    private static final int CTA_TUPLE_ORIG = 1;
    private static final int CTA_TUPLE_REPLY = 2;
    private static final int CTA_TUPLE_IP = 1;
    private static final int CTA_IP_V4_SRC = 1;
    private static final int CTA_IP_V4_DST = 2;

    private final NetlinkSocket socket;

    private Conntrack(NetlinkSocket socket) {
        this.socket = socket;
    }

    /** Opens a socket in the namespace, which may be closed afterwards. */
    public static Conntrack in(Namespace namespace) throws KernelException {
        return new Conntrack(NetlinkSocket.open(namespace, NetlinkDescriptor.NETLINK_NETFILTER));
    }

    /**
     * Forgets connections: the next packet of one is judged like the first packet of a connection.
     *
     * @param which by the address that the client sends to, and the one that answers, which differs where the destination was
     *     translated
     * @return how many were forgotten
     */
    public int delete(BiPredicate<InetAddress, InetAddress> which) throws KernelException {
        List<byte[]> tuples = socket.dump(
                "list tracked connections",
                batch -> Nfnetlink.header(
                        batch.add(IPCTNL_MSG_CT_GET, NetlinkMessage.NLM_F_DUMP), Nfnetlink.NFPROTO_IPV4),
                (_, payload) -> tuple(payload, which));
        socket.requestAll(
                tuples,
                (batch, tuple) -> Nfnetlink.header(batch.add(IPCTNL_MSG_CT_DELETE, 0), Nfnetlink.NFPROTO_IPV4)
                        .attribute(CTA_TUPLE_ORIG | Nfnetlink.NLA_F_NESTED, tuple),
                _ -> "forget a tracked connection",
                Errno.ENOENT);
        return tuples.size();
    }

    /** Returns the tuple by which the kernel finds a connection; empty if the connection is not wanted. */
    private static Optional<byte[]> tuple(ByteBuffer payload, BiPredicate<InetAddress, InetAddress> which) {
        Attributes attributes = Attributes.of(payload, Nfnetlink.NFGENMSG_LENGTH);
        Optional<InetAddress> sentTo = attributes.nested(CTA_TUPLE_ORIG).nested(CTA_TUPLE_IP).address(CTA_IP_V4_DST);
        Optional<InetAddress> answering = attributes.nested(CTA_TUPLE_REPLY).nested(CTA_TUPLE_IP).address(CTA_IP_V4_SRC);
        if (sentTo.isEmpty() || answering.isEmpty() || !which.test(sentTo.get(), answering.get())) {
            return Optional.empty();
        }
        return attributes.get(CTA_TUPLE_ORIG).map(octets -> {
            byte[] tuple = new byte[octets.limit()];
            octets.get(0, tuple);
            return tuple;
        });
    }

    @Override
    public void close() {
        socket.close();
    }
}
