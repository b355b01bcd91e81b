package io.vxseal.kernel;

import static io.vxseal.kernel.netlink.NetlinkMessage.NLM_F_ACK;
import static io.vxseal.kernel.netlink.NetlinkMessage.NLM_F_CREATE;
import static io.vxseal.kernel.netlink.NetlinkMessage.NLM_F_EXCL;
import static io.vxseal.kernel.netlink.NetlinkMessage.NLM_F_REPLACE;
import static io.vxseal.kernel.netlink.NetlinkMessage.NLM_F_REQUEST;

import io.vxseal.address.MacAddress;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.libc.LibC;
import io.vxseal.kernel.netlink.NetlinkDescriptor;
import io.vxseal.kernel.netlink.NetlinkHeader;
import io.vxseal.kernel.netlink.NetlinkMessage;
import io.vxseal.kernel.route.RemoteEndpoint;
import io.vxseal.kernel.xfrm.SecurityAssociation;
import io.vxseal.kernel.xfrm.SecurityPolicy;
import io.vxseal.kernel.xfrm.XfrmChange;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * The naive way to program a kernel, as a reference for the bench: every object is looked up, then programmed, each with
 * a message of its own whose answer is awaited. For IPv4, and for states without a replay window.
 *
 * <p>It shares the product's calls to the C library and its way to write fields. Its own socket sends no batches.
 */
public final class OneByOne implements AutoCloseable {
    // linux/netlink.h, sys/socket.h
    private static final int AF_NETLINK = 16;
    private static final int SOCK_RAW_CLOEXEC = 0x80003;
    private static final int NLMSG_ERROR = 2;

    // linux/xfrm.h
    private static final int XFRM_MSG_NEWSA = 0x10;
    private static final int XFRM_MSG_DELSA = 0x11;
    private static final int XFRM_MSG_GETSA = 0x12;
    private static final int XFRM_MSG_NEWPOLICY = 0x13;
    private static final int XFRM_MSG_DELPOLICY = 0x14;
    private static final int XFRM_MSG_GETPOLICY = 0x15;
    private static final int XFRM_MSG_UPDPOLICY = 0x19;
    private static final int XFRMA_TMPL = 5;
    private static final int XFRMA_SRCADDR = 13;
    private static final int XFRMA_ALG_AEAD = 18;
    private static final int XFRMA_MARK = 21;
    private static final int XFRM_POLICY_OUT = 1;
    private static final byte[] XFRM_INF = new byte[4 * Long.BYTES];

    static {
        Arrays.fill(XFRM_INF, (byte) 0xff);
    }

    // linux/rtnetlink.h, linux/neighbour.h
    private static final int RTM_NEWNEIGH = 28;
    private static final int RTM_DELNEIGH = 29;
    private static final int RTM_GETNEIGH = 30;
    private static final int NDA_DST = 1;
    private static final int NDA_LLADDR = 2;
    private static final int NUD_PERMANENT = 0x80;
    private static final int NTF_SELF = 0x02;

    // linux/in.h, linux/socket.h
    private static final int IPPROTO_UDP = 17;
    private static final int IPPROTO_ESP = 50;
    private static final int AF_INET = 2;
    private static final int AF_BRIDGE = 7;

    private static final int ADDRESS_LENGTH = 16;

    private final int fd;
    private final byte[] octets = new byte[1024];
    private final ByteBuffer request = ByteBuffer.allocateDirect(octets.length);
    private final ByteBuffer answer = ByteBuffer.allocateDirect(1 << 14).order(ByteOrder.nativeOrder());
    private final long requestMemory = LibC.address(request);
    private final long answerMemory = LibC.address(answer);

    private OneByOne(int protocol) throws KernelException {
        fd = LibC.INSTANCE.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, protocol);
        if (fd < 0) {
            throw LibC.failure("open netlink socket");
        }
    }

    /** Opens a socket for states and policies of this thread's namespace. */
    public static OneByOne ofStates() throws KernelException {
        return new OneByOne(NetlinkDescriptor.NETLINK_XFRM);
    }

    /** Opens a socket for neighbours and forwarding entries of this thread's namespace. */
    public static OneByOne ofEntries() throws KernelException {
        return new OneByOne(NetlinkDescriptor.NETLINK_ROUTE);
    }

    /** Looks the object up, and makes the change if it has an effect. */
    public void apply(XfrmChange change) throws KernelException {
        switch (change) {
            case XfrmChange.AddState add -> {
                if (!finds(stateId(begin(XFRM_MSG_GETSA, 0), add.association().id()))) {
                    demand("add " + add.association(), state(add.association()));
                }
            }
            case XfrmChange.DeleteState delete -> {
                if (finds(stateId(begin(XFRM_MSG_GETSA, 0), delete.id()))) {
                    demand("delete " + delete.id(), stateId(begin(XFRM_MSG_DELSA, NLM_F_ACK), delete.id())
                            .attribute(XFRMA_SRCADDR, m -> m.field(delete.id().source().getAddress(), ADDRESS_LENGTH)));
                }
            }
            case XfrmChange.PutPolicy put -> {
                boolean there = finds(policyId(begin(XFRM_MSG_GETPOLICY, 0), put.policy().id()));
                demand("put " + put.policy(), policy(put.policy(), there));
            }
            case XfrmChange.DeletePolicy delete -> {
                if (finds(policyId(begin(XFRM_MSG_GETPOLICY, 0), delete.id()))) {
                    demand("delete " + delete.id(), policyId(begin(XFRM_MSG_DELPOLICY, NLM_F_ACK), delete.id()));
                }
            }
            // With a grace period for each peer, the naive way would take minutes.
            case XfrmChange.Barrier _ -> {}
        }
    }

    /** Looks an endpoint's two entries on a VXLAN device up, and adds each. */
    public void add(int device, RemoteEndpoint endpoint) throws KernelException {
        finds(forwarding(begin(RTM_GETNEIGH, 0), device, 0, endpoint.mac()));
        demand("put forwarding entry " + endpoint,
                forwarding(begin(RTM_NEWNEIGH, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE), device, NUD_PERMANENT, endpoint.mac())
                        .attribute(NDA_DST, endpoint.vtep()));
        finds(neighbour(begin(RTM_GETNEIGH, 0), device, 0, endpoint.address()));
        demand("put neighbour " + endpoint,
                neighbour(begin(RTM_NEWNEIGH, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE), device, NUD_PERMANENT, endpoint.address())
                        .attribute(NDA_LLADDR, endpoint.mac().octets()));
    }

    /** Looks an endpoint's two entries on a VXLAN device up, and deletes each. */
    public void remove(int device, RemoteEndpoint endpoint) throws KernelException {
        if (finds(forwarding(begin(RTM_GETNEIGH, 0), device, 0, endpoint.mac()))) {
            demand("delete forwarding entry " + endpoint,
                    forwarding(begin(RTM_DELNEIGH, NLM_F_ACK), device, NUD_PERMANENT, endpoint.mac())
                            .attribute(NDA_DST, endpoint.vtep()));
        }
        if (finds(neighbour(begin(RTM_GETNEIGH, 0), device, 0, endpoint.address()))) {
            demand("delete neighbour " + endpoint,
                    neighbour(begin(RTM_DELNEIGH, NLM_F_ACK), device, NUD_PERMANENT, endpoint.address()));
        }
    }

    private NetlinkMessage begin(int type, int flags) {
        Arrays.fill(octets, (byte) 0);
        return new NetlinkMessage(octets).begin(0, type, NLM_F_REQUEST | flags, 0);
    }

    /** Returns whether the object exists that the message asks for. */
    private boolean finds(NetlinkMessage message) throws KernelException {
        return exchange(message) == 0;
    }

    private void demand(String what, NetlinkMessage message) throws KernelException {
        int errno = exchange(message);
        if (errno != 0) {
            throw new KernelException(what, errno, LibC.text(errno));
        }
    }

    /** Sends the message and waits for the answer. Returns 0 for an object or an acknowledgement, else an errno. */
    private int exchange(NetlinkMessage written) throws KernelException {
        int length = written.end();
        request.put(0, octets, 0, length);
        if (LibC.INSTANCE.send(fd, requestMemory, length, 0) < 0
                || LibC.INSTANCE.recv(fd, answerMemory, answer.capacity(), 0) < 0) {
            throw LibC.failure("exchange a request with the kernel");
        }
        return answer.getShort(4) == NLMSG_ERROR ? -answer.getInt(NetlinkHeader.NLMSG_HDRLEN) : 0;
    }

    /** Writes an xfrm_usersa_id. */
    private static NetlinkMessage stateId(NetlinkMessage message, SecurityAssociation.Id id) {
        return message.field(id.destination().getAddress(), ADDRESS_LENGTH)
                .be32(id.spi()).u16(AF_INET).u8(IPPROTO_ESP).u8(0);
    }

    /** Writes the addition of a state (xfrm_usersa_info). */
    private NetlinkMessage state(SecurityAssociation association) {
        SecurityAssociation.Id id = association.id();
        byte[] key = association.key().octets();
        return lifetimes(begin(XFRM_MSG_NEWSA, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL)
                        .zeros(52).u32(SecurityPolicy.LABEL)
                        .field(id.destination().getAddress(), ADDRESS_LENGTH).be32(id.spi()).u8(IPPROTO_ESP).zeros(3)
                        .field(id.source().getAddress(), ADDRESS_LENGTH))
                .zeros(12).u32(0).u32(SecurityPolicy.REQID).u16(AF_INET).zeros(10)
                .attribute(XFRMA_ALG_AEAD, aead -> aead
                        .field("rfc4106(gcm(aes))".getBytes(StandardCharsets.US_ASCII), 64)
                        .u32(8 * key.length).u32(64).octets(key));
    }

    /** Writes an xfrm_userpolicy_id. */
    private static NetlinkMessage policyId(NetlinkMessage message, SecurityPolicy.Id id) {
        return mark(selector(message, id).u32(0).u8(XFRM_POLICY_OUT).zeros(3), id);
    }

    /** Writes the addition or replacement of a policy that seals (xfrm_userpolicy_info). */
    private NetlinkMessage policy(SecurityPolicy policy, boolean there) {
        SecurityPolicy.Id id = policy.id();
        int spi = ((SecurityPolicy.Action.Seal) policy.action()).spi();
        int type = there ? XFRM_MSG_UPDPOLICY : XFRM_MSG_NEWPOLICY;
        return mark(lifetimes(selector(begin(type, NLM_F_ACK), id))
                .u32(0).u32(0).u8(XFRM_POLICY_OUT).zeros(7)
                .attribute(XFRMA_TMPL, template -> template
                        .field(id.destination().address().getAddress(), ADDRESS_LENGTH).be32(spi).u8(IPPROTO_ESP).zeros(3)
                        .u16(AF_INET).zeros(2)
                        .field(id.source().address().getAddress(), ADDRESS_LENGTH)
                        .u32(SecurityPolicy.REQID).zeros(4)
                        .u32(-1).u32(-1).u32(-1)), id);
    }

    /** Writes an xfrm_selector. */
    private static NetlinkMessage selector(NetlinkMessage message, SecurityPolicy.Id id) {
        return message
                .field(id.destination().address().getAddress(), ADDRESS_LENGTH)
                .field(id.source().address().getAddress(), ADDRESS_LENGTH)
                .be16(id.port()).be16(0xffff).zeros(4)
                .u16(AF_INET).u8(id.destination().prefix()).u8(id.source().prefix()).u8(IPPROTO_UDP).zeros(3)
                .u32(0).u32(SecurityPolicy.LABEL);
    }

    private static NetlinkMessage mark(NetlinkMessage message, SecurityPolicy.Id id) {
        return message.attribute(XFRMA_MARK, m -> m.u32(id.mark()).u32(-1));
    }

    /** Writes an xfrm_lifetime_cfg without limits, and an xfrm_lifetime_cur. */
    private static NetlinkMessage lifetimes(NetlinkMessage message) {
        return message.octets(XFRM_INF).zeros(32).zeros(32);
    }

    private static NetlinkMessage forwarding(NetlinkMessage message, int device, int state, MacAddress mac) {
        return entry(message, AF_BRIDGE, device, state, NTF_SELF).attribute(NDA_LLADDR, mac.octets());
    }

    private static NetlinkMessage neighbour(NetlinkMessage message, int device, int state, InetAddress address) {
        return entry(message, AF_INET, device, state, 0).attribute(NDA_DST, address);
    }

    /** Writes an ndmsg. */
    private static NetlinkMessage entry(NetlinkMessage message, int family, int device, int state, int flags) {
        return message.u8(family).zeros(3).u32(device).u16(state).u8(flags).u8(0);
    }

    @Override
    public void close() {
        LibC.INSTANCE.close(fd);
    }
}
