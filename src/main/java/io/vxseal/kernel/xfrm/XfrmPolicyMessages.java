package io.vxseal.kernel.xfrm;

import static io.vxseal.kernel.netlink.NetlinkMessage.NLM_F_DUMP;
import static io.vxseal.kernel.packet.IpProtocol.IPPROTO_ESP;
import static io.vxseal.kernel.packet.IpProtocol.IPPROTO_UDP;

import io.vxseal.address.Cidr;
import io.vxseal.kernel.netlink.AddressFamily;
import io.vxseal.kernel.netlink.Attributes;
import io.vxseal.kernel.netlink.Batch;
import io.vxseal.kernel.netlink.NetlinkMessage;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.util.Optional;

/** Messages about policies, in the layouts of {@code linux/xfrm.h}. */
final class XfrmPolicyMessages {
    private static final int XFRMA_TMPL = 5;
    private static final int XFRMA_POLICY_TYPE = 16;
    private static final int XFRMA_MARK = 21;
    private static final int XFRMA_IF_ID = 31;

    private static final int XFRM_POLICY_IN = 0;
    private static final int XFRM_POLICY_OUT = 1;
    private static final int XFRM_POLICY_TYPE_MAIN = 0;
    private static final int XFRM_POLICY_ALLOW = 0;
    private static final int XFRM_POLICY_BLOCK = 1;

    private static final int WHOLE_PORT = 0xffff;
    private static final int WHOLE_MARK = 0xffffffff;
    private static final int ANY_ALGORITHM = 0xffffffff;

    /*
     * struct xfrm_userpolicy_info {
     *     struct xfrm_selector sel;            //   0
     *     struct xfrm_lifetime_cfg lft;        //  56
     *     struct xfrm_lifetime_cur curlft;     // 120
     *     __u32 priority;                      // 152
     *     __u32 index;                         // 156
     *     __u8 dir;                            // 160
     *     __u8 action;                         // 161
     *     __u8 flags;                          // 162
     *     __u8 share;                          // 163
     * };                                       // 168
     */
    private static final int USERPOLICY_INFO_PRIORITY = 152;
    private static final int USERPOLICY_INFO_DIR = 160;
    private static final int USERPOLICY_INFO_ACTION = 161;
    private static final int USERPOLICY_INFO_LENGTH = 168;

    /** flags, share and padding. */
    private static final int USERPOLICY_INFO_REST = 6;

    /** Behind the direction of an xfrm_userpolicy_id ({@link #writeDeletion}). */
    private static final int USERPOLICY_ID_PADDING = 3;

    /*
     * struct xfrm_user_tmpl {                  // XFRMA_TMPL
     *     struct xfrm_id id;                   //  0
     *     __u16 family;                        // 24
     *     xfrm_address_t saddr;                // 28
     *     __u32 reqid;                         // 44
     *     __u8 mode;                           // 48
     *     __u8 share;                          // 49
     *     __u8 optional;                       // 50
     *     __u32 aalgos;                        // 52
     *     __u32 ealgos;                        // 56
     *     __u32 calgos;                        // 60
     * };                                       // 64
     */
    private static final int USER_TMPL_REQID = 44;
    private static final int USER_TMPL_MODE = 48;
    private static final int USER_TMPL_OPTIONAL = 50;
    private static final int USER_TMPL_LENGTH = 64;
    private static final int USER_TMPL_FAMILY_PADDING = 2;
    private static final int USER_TMPL_OPTIONAL_PADDING = 1;

    /*
     * struct xfrm_mark {                       // XFRMA_MARK
     *     __u32 v;                             // 0
     *     __u32 m;                             // 4
     * };                                       // 8
     */
    private static final int MARK_V = 0;
    private static final int MARK_M = 4;
    private static final int MARK_LENGTH = 8;

    private XfrmPolicyMessages() {}

    /** Writes a request for all policies of the namespace. */
    static void writeDump(Batch batch) {
        batch.add(XfrmMessages.XFRM_MSG_GETPOLICY, NLM_F_DUMP);
    }

    /** Writes an addition that replaces the policy with the same selector and mark. */
    static void writePut(Batch batch, SecurityPolicy policy) {
        SecurityPolicy.Id id = policy.id();
        boolean block = policy.action() instanceof SecurityPolicy.Action.Block;
        NetlinkMessage message = batch.add(XfrmMessages.XFRM_MSG_UPDPOLICY, 0);
        XfrmMessages.lifetimes(writeSelector(message, id))
                .zeros(XfrmMessages.LIFETIME_CUR_LENGTH)
                .u32(block ? SecurityPolicy.Action.Block.PRIORITY : SecurityPolicy.Action.Seal.PRIORITY)
                .u32(0)
                .u8(XFRM_POLICY_OUT)
                .u8(block ? XFRM_POLICY_BLOCK : XFRM_POLICY_ALLOW)
                .zeros(USERPOLICY_INFO_REST);
        if (policy.action() instanceof SecurityPolicy.Action.Seal seal) {
            writeTemplate(message, id, seal.spi());
        }
        writeMark(message, id);
    }

    private static void writeTemplate(NetlinkMessage message, SecurityPolicy.Id id, int spi) {
        InetAddress destination = id.destination().address();
        XfrmMessages.id(message.header(XFRMA_TMPL, USER_TMPL_LENGTH), destination, spi)
                .u16(AddressFamily.of(destination))
                .zeros(USER_TMPL_FAMILY_PADDING)
                .field(id.source().address(), XfrmMessages.ADDRESS_LENGTH)
                .u32(SecurityPolicy.REQID)
                .u8(XfrmMessages.XFRM_MODE_TRANSPORT)
                .u8(0)
                .u8(0)
                .zeros(USER_TMPL_OPTIONAL_PADDING)
                .u32(ANY_ALGORITHM)
                .u32(ANY_ALGORITHM)
                .u32(ANY_ALGORITHM);
    }

    /**
     * Writes a deletion.
     *
     * <pre>{@code
     * struct xfrm_userpolicy_id {
     *     struct xfrm_selector sel;    //  0
     *     __u32 index;                 // 56: 0, by selector
     *     __u8 dir;                    // 60
     * };                               // 64
     * }</pre>
     */
    static void writeDeletion(Batch batch, SecurityPolicy.Id id) {
        NetlinkMessage message = writeSelector(batch.add(XfrmMessages.XFRM_MSG_DELPOLICY, 0), id)
                .u32(0)
                .u8(XFRM_POLICY_OUT)
                .zeros(USERPOLICY_ID_PADDING);
        writeMark(message, id);
    }

    private static NetlinkMessage writeSelector(NetlinkMessage message, SecurityPolicy.Id id) {
        return message
                .field(id.destination().address(), XfrmMessages.ADDRESS_LENGTH)
                .field(id.source().address(), XfrmMessages.ADDRESS_LENGTH)
                .be16(id.port())
                .be16(WHOLE_PORT)
                .be16(0)
                .be16(0)
                .u16(AddressFamily.of(id.destination().address()))
                .u8(id.destination().prefix())
                .u8(id.source().prefix())
                .u8(IPPROTO_UDP)
                .zeros(XfrmMessages.SELECTOR_PROTO_PADDING)
                .u32(0)
                .u32(SecurityPolicy.LABEL);
    }

    private static void writeMark(NetlinkMessage message, SecurityPolicy.Id id) {
        message.header(XFRMA_MARK, MARK_LENGTH).u32(id.mark()).u32(WHOLE_MARK);
    }

    /** Reads a policy: one of this plugin, or another maker's that may take packets that this host sends or receives itself. */
    static Optional<ListedPolicy> read(int type, ByteBuffer payload) {
        if (type != XfrmMessages.XFRM_MSG_NEWPOLICY) {
            return Optional.empty();
        }
        if (XfrmMessages.isOurs(payload)) {
            return Optional.of(readOurs(payload));
        }
        return switch (payload.get(USERPOLICY_INFO_DIR)) {
            case XFRM_POLICY_OUT -> readForeign(payload, ForeignPolicy.Direction.OUT);
            case XFRM_POLICY_IN -> readForeign(payload, ForeignPolicy.Direction.IN);
            default -> Optional.empty();
        };
    }

    private static SecurityPolicy readOurs(ByteBuffer payload) {
        Attributes attributes = Attributes.of(payload, USERPOLICY_INFO_LENGTH);
        var id = new SecurityPolicy.Id(
                prefix(payload, XfrmMessages.SELECTOR_SADDR, XfrmMessages.SELECTOR_PREFIXLEN_S),
                prefix(payload, XfrmMessages.SELECTOR_DADDR, XfrmMessages.SELECTOR_PREFIXLEN_D),
                XfrmMessages.be16(payload, XfrmMessages.SELECTOR_DPORT),
                attributes.u32(XFRMA_MARK).orElse(0));
        SecurityPolicy.Action action = payload.get(USERPOLICY_INFO_ACTION) == XFRM_POLICY_BLOCK
                ? new SecurityPolicy.Action.Block()
                : new SecurityPolicy.Action.Seal(attributes.get(XFRMA_TMPL)
                        .map(template -> XfrmMessages.be32(template, XfrmMessages.ID_SPI))
                        .orElse(0));
        return new SecurityPolicy(id, action);
    }

    /** Reads another maker's policy; empty if it is for packets of an XFRM interface, or not of the main type. */
    private static Optional<ListedPolicy> readForeign(ByteBuffer payload, ForeignPolicy.Direction direction) {
        Attributes attributes = Attributes.of(payload, USERPOLICY_INFO_LENGTH);
        boolean elsewhere = attributes.u32(XFRMA_IF_ID).orElse(0) != 0
                || attributes.get(XFRMA_POLICY_TYPE).filter(kind -> kind.get(0) != XFRM_POLICY_TYPE_MAIN).isPresent();
        if (elsewhere) {
            return Optional.empty();
        }
        Optional<ByteBuffer> mark = attributes.get(XFRMA_MARK);
        return Optional.of(new ForeignPolicy(
                direction,
                prefix(payload, XfrmMessages.SELECTOR_SADDR, XfrmMessages.SELECTOR_PREFIXLEN_S),
                prefix(payload, XfrmMessages.SELECTOR_DADDR, XfrmMessages.SELECTOR_PREFIXLEN_D),
                Byte.toUnsignedInt(payload.get(XfrmMessages.SELECTOR_PROTO)),
                XfrmMessages.be16(payload, XfrmMessages.SELECTOR_DPORT),
                XfrmMessages.be16(payload, XfrmMessages.SELECTOR_DPORT_MASK),
                mark.map(m -> m.getInt(MARK_V)).orElse(0),
                mark.map(m -> m.getInt(MARK_M)).orElse(0),
                payload.getInt(USERPOLICY_INFO_PRIORITY),
                payload.get(USERPOLICY_INFO_ACTION) == XFRM_POLICY_BLOCK
                        || attributes.get(XFRMA_TMPL).filter(templates -> !areMetByOurStates(templates)).isPresent()));
    }

    /**
     * Returns whether a packet that one of our states opened has what the templates demand of a received one (xfrm_policy_ok() and
     * xfrm_state_ok() in {@code net/xfrm/xfrm_policy.c}): at most one of them is required, and it describes our states.
     */
    private static boolean areMetByOurStates(ByteBuffer templates) {
        int required = 0;
        for (int at = 0; at + USER_TMPL_LENGTH <= templates.limit(); at += USER_TMPL_LENGTH) {
            if (templates.get(at + USER_TMPL_OPTIONAL) == 0) {
                required++;
                int reqid = templates.getInt(at + USER_TMPL_REQID);
                boolean met = templates.get(at + XfrmMessages.ID_PROTO) == IPPROTO_ESP
                        && templates.getInt(at + XfrmMessages.ID_SPI) == 0
                        && (reqid == 0 || reqid == SecurityPolicy.REQID)
                        && templates.get(at + USER_TMPL_MODE) == XfrmMessages.XFRM_MODE_TRANSPORT;
                if (!met || required > 1) {
                    return false;
                }
            }
        }
        return true;
    }

    /** Reads a prefix of the selector. Old kernels accept a length above the address's, which then means all of it. */
    private static Cidr prefix(ByteBuffer payload, int address, int length) {
        InetAddress network = XfrmMessages.address(payload, address, payload.getShort(XfrmMessages.SELECTOR_FAMILY));
        return new Cidr(network, Math.min(Byte.toUnsignedInt(payload.get(length)), Cidr.bits(network)));
    }
}
