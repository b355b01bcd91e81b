package io.vxseal.kernel.xfrm;

import static io.vxseal.kernel.netlink.NetlinkMessage.NLM_F_CREATE;
import static io.vxseal.kernel.netlink.NetlinkMessage.NLM_F_DUMP;
import static io.vxseal.kernel.netlink.NetlinkMessage.NLM_F_EXCL;
import static io.vxseal.kernel.packet.IpProtocol.IPPROTO_ESP;

import io.vxseal.kernel.netlink.AddressFamily;
import io.vxseal.kernel.netlink.Attributes;
import io.vxseal.kernel.netlink.Batch;
import io.vxseal.kernel.netlink.NetlinkMessage;
import io.vxseal.kernel.xfrm.SecurityAssociation.AeadKey;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/** Messages about states, in the layouts of {@code linux/xfrm.h}. */
final class XfrmStateMessages {
    private static final int XFRMA_REPLAY_VAL = 10;
    private static final int XFRMA_SRCADDR = 13;
    private static final int XFRMA_ALG_AEAD = 18;
    private static final int XFRMA_REPLAY_ESN_VAL = 23;

    private static final int XFRM_STATE_ESN = 128;

    /*
     * struct xfrm_usersa_info {
     *     struct xfrm_selector sel;            //   0
     *     struct xfrm_id id;                   //  56
     *     xfrm_address_t saddr;                //  80
     *     struct xfrm_lifetime_cfg lft;        //  96
     *     struct xfrm_lifetime_cur curlft;     // 160
     *     struct xfrm_stats {
     *         __u32 replay_window;             // 192
     *         __u32 replay;                    // 196
     *         __u32 integrity_failed;          // 200
     *     } stats;
     *     __u32 seq;                           // 204
     *     __u32 reqid;                         // 208
     *     __u16 family;                        // 212
     *     __u8 mode;                           // 214
     *     __u8 replay_window;                  // 215
     *     __u8 flags;                          // 216
     * };                                       // 224
     */
    private static final int USERSA_INFO_ID = 56;
    private static final int USERSA_INFO_SADDR = 80;
    private static final int USERSA_INFO_CURLFT = 160;
    private static final int USERSA_INFO_STATS_LENGTH = 12;
    private static final int USERSA_INFO_FAMILY = 212;
    private static final int USERSA_INFO_REPLAY_WINDOW = 215;
    private static final int USERSA_INFO_FLAGS = 216;
    private static final int USERSA_INFO_PADDING = 7;
    private static final int USERSA_INFO_LENGTH = 224;

    /*
     * struct xfrm_algo_aead {                  // XFRMA_ALG_AEAD
     *     char alg_name[64];                   //  0
     *     unsigned int alg_key_len;            // 64: bits
     *     unsigned int alg_icv_len;            // 68: bits
     *     char alg_key[];                      // 72
     * };
     */
    private static final int ALGO_AEAD_NAME_LENGTH = 64;
    private static final int ALGO_AEAD_KEY_LEN = 64;
    private static final int ALGO_AEAD_KEY = 72;

    /** Behind the protocol of an xfrm_usersa_id ({@link #writeDeletion}). */
    private static final int USERSA_ID_PADDING = 1;

    private static final byte[] ALGORITHM = "rfc4106(gcm(aes))".getBytes(StandardCharsets.US_ASCII);
    private static final int ICV_BITS = 64;

    /*
     * struct xfrm_replay_state {               // XFRMA_REPLAY_VAL
     *     __u32 oseq;                          //  0
     *     __u32 seq;                           //  4
     *     __u32 bitmap;                        //  8
     * };
     */
    private static final int REPLAY_STATE_OSEQ = 0;

    /*
     * struct xfrm_replay_state_esn {           // XFRMA_REPLAY_ESN_VAL
     *     unsigned int bmp_len;                //  0: words of bmp
     *     __u32 oseq;                          //  4
     *     __u32 seq;                           //  8
     *     __u32 oseq_hi;                       // 12
     *     __u32 seq_hi;                        // 16
     *     __u32 replay_window;                 // 20
     *     __u32 bmp[];                         // 24
     * };
     */
    private static final int REPLAY_STATE_ESN_OSEQ = 4;
    private static final int REPLAY_STATE_ESN_OSEQ_HI = 12;
    private static final int REPLAY_STATE_ESN_REPLAY_WINDOW = 20;

    private XfrmStateMessages() {}

    /** Writes a request for all states of the namespace. */
    static void writeDump(Batch batch) {
        batch.add(XfrmMessages.XFRM_MSG_GETSA, NLM_F_DUMP);
    }

    static void writeAddition(Batch batch, SecurityAssociation association) {
        SecurityAssociation.Id id = association.id();
        AeadKey key = association.key();
        boolean esn = association.hasReplayWindow();
        // A selector of zeros matches everything; the kernel fills in the family (copy_from_user_state()).
        NetlinkMessage message = batch.add(XfrmMessages.XFRM_MSG_NEWSA, NLM_F_CREATE | NLM_F_EXCL)
                .zeros(XfrmMessages.SELECTOR_USER).u32(SecurityPolicy.LABEL);
        XfrmMessages.id(message, id.destination(), id.spi()).field(id.source(), XfrmMessages.ADDRESS_LENGTH);
        XfrmMessages.lifetimes(message)
                .zeros(XfrmMessages.LIFETIME_CUR_LENGTH)
                .zeros(USERSA_INFO_STATS_LENGTH)
                .u32(0)
                .u32(SecurityPolicy.REQID)
                .u16(AddressFamily.of(id.destination()))
                .u8(XfrmMessages.XFRM_MODE_TRANSPORT)
                // This window is of 32-bit numbers and must be 0 together with ESN (verify_replay()).
                .u8(0)
                .u8(esn ? XFRM_STATE_ESN : 0)
                .zeros(USERSA_INFO_PADDING)
                .header(XFRMA_ALG_AEAD, ALGO_AEAD_KEY + key.length())
                .field(ALGORITHM, ALGO_AEAD_NAME_LENGTH)
                .u32(Byte.SIZE * key.length())
                .u32(ICV_BITS);
        key.write(message);
        if (esn) {
            writeReplayState(message, association.replayWindow());
        }
    }

    /**
     * Writes an xfrm_replay_state_esn without its bitmap, which is zeros then (xfrm_alloc_replay_state_esn()). A state that
     * sends needs a window, too, although it never uses it (xfrm_init_replay()).
     */
    private static void writeReplayState(NetlinkMessage message, int window) {
        message.attribute(XFRMA_REPLAY_ESN_VAL, replay -> replay
                .u32(Math.ceilDiv(window, Integer.SIZE))
                .u32(0).u32(0).u32(0).u32(0)
                .u32(window));
    }

    /**
     * Writes a deletion.
     *
     * <pre>{@code
     * struct xfrm_usersa_id {
     *     xfrm_address_t daddr;    //  0
     *     __be32 spi;              // 16
     *     __u16 family;            // 20
     *     __u8 proto;              // 22
     * };                           // 24
     * }</pre>
     */
    static void writeDeletion(Batch batch, SecurityAssociation.Id id) {
        batch.add(XfrmMessages.XFRM_MSG_DELSA, 0)
                .field(id.destination(), XfrmMessages.ADDRESS_LENGTH)
                .be32(id.spi())
                .u16(AddressFamily.of(id.destination()))
                .u8(IPPROTO_ESP)
                .zeros(USERSA_ID_PADDING)
                .header(XFRMA_SRCADDR, XfrmMessages.ADDRESS_LENGTH)
                .field(id.source(), XfrmMessages.ADDRESS_LENGTH);
    }

    /** Reads a state of this plugin; empty for another maker's. */
    static Optional<InstalledState> read(int type, ByteBuffer payload) {
        if (type != XfrmMessages.XFRM_MSG_NEWSA || !XfrmMessages.isOurs(payload)) {
            return Optional.empty();
        }
        Attributes attributes = Attributes.of(payload, USERSA_INFO_LENGTH);
        return attributes.get(XFRMA_ALG_AEAD).map(aead -> {
            Optional<ByteBuffer> esn = attributes.get(XFRMA_REPLAY_ESN_VAL)
                    .filter(_ -> (payload.get(USERSA_INFO_FLAGS) & XFRM_STATE_ESN) != 0);
            int window = esn.map(replay -> replay.getInt(REPLAY_STATE_ESN_REPLAY_WINDOW))
                    .orElse(Byte.toUnsignedInt(payload.get(USERSA_INFO_REPLAY_WINDOW)));
            long sent = esn.map(replay ->
                            (long) replay.getInt(REPLAY_STATE_ESN_OSEQ_HI) << 32 | u32(replay, REPLAY_STATE_ESN_OSEQ))
                    .or(() -> attributes.get(XFRMA_REPLAY_VAL).map(replay -> u32(replay, REPLAY_STATE_OSEQ)))
                    .orElse(0L);
            return new InstalledState(new SecurityAssociation(readId(payload), readKey(aead), window), sent, readUsage(payload));
        });
    }

    private static SecurityAssociation.Id readId(ByteBuffer payload) {
        int family = payload.getShort(USERSA_INFO_FAMILY);
        return new SecurityAssociation.Id(
                XfrmMessages.address(payload, USERSA_INFO_SADDR, family),
                XfrmMessages.address(payload, USERSA_INFO_ID + XfrmMessages.ID_DADDR, family),
                XfrmMessages.be32(payload, USERSA_INFO_ID + XfrmMessages.ID_SPI));
    }

    private static StateUsage readUsage(ByteBuffer payload) {
        return new StateUsage(
                payload.getLong(USERSA_INFO_CURLFT + XfrmMessages.LIFETIME_CUR_BYTES),
                payload.getLong(USERSA_INFO_CURLFT + XfrmMessages.LIFETIME_CUR_PACKETS));
    }

    private static AeadKey readKey(ByteBuffer aead) {
        byte[] key = new byte[aead.getInt(ALGO_AEAD_KEY_LEN) / Byte.SIZE];
        aead.get(ALGO_AEAD_KEY, key);
        return new AeadKey(key);
    }

    private static long u32(ByteBuffer payload, int at) {
        return Integer.toUnsignedLong(payload.getInt(at));
    }
}
