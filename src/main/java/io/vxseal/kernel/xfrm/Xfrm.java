package io.vxseal.kernel.xfrm;

import static io.vxseal.kernel.netlink.NetlinkMessage.NLM_F_CREATE;
import static io.vxseal.kernel.netlink.NetlinkMessage.NLM_F_DUMP;
import static io.vxseal.kernel.netlink.NetlinkMessage.NLM_F_EXCL;

import io.vxseal.address.Cidr;
import io.vxseal.kernel.libc.Errno;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netlink.Attributes;
import io.vxseal.kernel.netlink.Batch;
import io.vxseal.kernel.netlink.NetlinkMessage;
import io.vxseal.kernel.netlink.NetlinkSocket;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.xfrm.SecurityAssociation.AeadKey;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.ReentrantLock;

/**
 * IPsec states and policies of one network namespace ({@code linux/xfrm.h}), in the shape that the built-in overlay
 * driver gives them (moby, {@code overlay/encryption.go}): ESP in transport mode, reqid 0xD0C4E3, infinite lifetimes,
 * and no replay window unless one is asked for.
 *
 * <p><b>Ours and theirs.</b> The reqid is the built-in driver's too, so it does not tell who made an object. Ours
 * carry {@link #LABEL} in the selector's {@code user} field besides. The kernel stores that field with states and
 * policies and gives it back in dumps. It is part of a policy's identity, so our policy for a node can stand beside the
 * built-in driver's: selector_cmp() in {@code net/xfrm/xfrm_policy.c} compares the selector word for word, and
 * xfrm_policy_insert_list(), xfrm_policy_bysel_ctx() and so XFRM_MSG_UPDPOLICY and XFRM_MSG_DELPOLICY go by it. It has
 * no say in which packets match: __xfrm4_selector_match() and __xfrm6_selector_match() look at addresses, ports, protocol
 * and interface only, for policies (xfrm_policy_match()) and for states (xfrm_state_look_at()). A state's identity is
 * its destination, SPI, protocol and mark without the selector, so of states with the same SPI there is only one;
 * {@link #apply} therefore never deletes a state that it does not know for its own.
 *
 * <p>Safe for use by several threads.
 */
public final class Xfrm implements AutoCloseable {
    /** Reqid of all states and of all policies that seal, in the built-in driver and here. */
    public static final int REQID = 0xD0C4E3;

    /** "vxse" in ASCII. Anything but 0 would do, which is what all others leave there. */
    public static final int LABEL = 0x76787365;

    // linux/xfrm.h: messages
    private static final int XFRM_MSG_NEWSA = 0x10;
    private static final int XFRM_MSG_DELSA = 0x11;
    private static final int XFRM_MSG_GETSA = 0x12;
    private static final int XFRM_MSG_NEWPOLICY = 0x13;
    private static final int XFRM_MSG_DELPOLICY = 0x14;
    private static final int XFRM_MSG_GETPOLICY = 0x15;
    private static final int XFRM_MSG_UPDPOLICY = 0x19;

    // linux/xfrm.h: attributes
    private static final int XFRMA_TMPL = 5;
    private static final int XFRMA_REPLAY_VAL = 10;
    private static final int XFRMA_SRCADDR = 13;
    private static final int XFRMA_POLICY_TYPE = 16;
    private static final int XFRMA_ALG_AEAD = 18;
    private static final int XFRMA_MARK = 21;
    private static final int XFRMA_REPLAY_ESN_VAL = 23;
    private static final int XFRMA_IF_ID = 31;

    // linux/xfrm.h: values
    private static final int XFRM_MODE_TRANSPORT = 0;
    private static final int XFRM_POLICY_OUT = 1;
    private static final int XFRM_POLICY_TYPE_MAIN = 0;
    private static final int XFRM_POLICY_ALLOW = 0;
    private static final int XFRM_POLICY_BLOCK = 1;
    private static final int XFRM_STATE_ESN = 128;

    // linux/xfrm.h: lengths and places in xfrm_usersa_info, xfrm_userpolicy_info, xfrm_algo_aead,
    // xfrm_user_tmpl, xfrm_mark, xfrm_replay_state, xfrm_replay_state_esn
    private static final int ADDRESS_LENGTH = 16;
    private static final int SELECTOR_USER = 52;
    private static final int LIFETIME_CFG_LENGTH = 64;
    private static final int LIFETIME_CUR_LENGTH = 32;
    private static final int USERSA_LENGTH = 224;
    private static final int USERSA_REPLAY_WINDOW = 215;
    private static final int USERSA_FLAGS = 216;
    private static final int USERPOLICY_LENGTH = 168;
    private static final int USERPOLICY_PRIORITY = 152;
    private static final int USERPOLICY_DIR = 160;
    private static final int ALGORITHM_NAME_LENGTH = 64;
    private static final int ALGO_AEAD_LENGTH = 72;
    private static final int USER_TMPL_LENGTH = 64;
    private static final int MARK_LENGTH = 8;
    private static final int REPLAY_OSEQ = 0;
    private static final int REPLAY_ESN_OSEQ = 4;
    private static final int REPLAY_ESN_OSEQ_HI = 12;
    private static final int REPLAY_ESN_REPLAY_WINDOW = 20;

    // linux/in.h
    private static final int IPPROTO_UDP = 17;
    private static final int IPPROTO_ESP = 50;

    // linux/socket.h
    private static final int AF_INET = 2;
    private static final int AF_INET6 = 10;

    private static final byte[] ALGORITHM = "rfc4106(gcm(aes))".getBytes(StandardCharsets.US_ASCII);

    /** Bits. */
    private static final int ICV_LENGTH = 64;

    /** Of octets and packets, soft and hard. */
    private static final byte[] XFRM_INF = new byte[4 * Long.BYTES];

    static {
        Arrays.fill(XFRM_INF, (byte) 0xff);
    }

    private final NetlinkSocket socket;
    private final NetlinkSocket.Writer<XfrmChange> writer;
    private final ReentrantLock lock = new ReentrantLock();

    /** States known for ours, guarded by the lock: added here, or seen in a dump with the label on. */
    private final Set<SecurityAssociation.Id> known = new HashSet<>();

    private Xfrm(Namespace namespace, NetlinkSocket.Writer<XfrmChange> writer) throws KernelException {
        this.socket = NetlinkSocket.open(namespace, NetlinkSocket.NETLINK_XFRM);
        this.writer = writer;
    }

    /**
     * Opens a socket in the namespace, which may be closed afterwards.
     *
     * @throws KernelException EPROTONOSUPPORT if the kernel has no XFRM
     */
    public static Xfrm in(Namespace namespace) throws KernelException {
        return new Xfrm(namespace, Xfrm::write);
    }

    /**
     * The same, but all its changes are of no effect: their messages are whole, sent and answered, and of a type that the
     * kernel passes over.
     */
    public static Xfrm rehearsing(Namespace namespace) throws KernelException {
        return new Xfrm(namespace, Xfrm::writeWithoutEffect);
    }

    /** A change that the kernel refused, and why. */
    public record Failure(XfrmChange change, KernelException reason) {
        /** Whether another state is in the place of one that was to be added: with its destination and SPI. */
        public boolean isTaken() {
            return change instanceof XfrmChange.AddState && reason.errno() == Errno.EEXIST;
        }
    }

    /**
     * Makes the changes in their order; one that is refused does not keep back those after it. Nothing is asked first:
     * a state that is there already says so itself, and stands if it is ours with the same key.
     *
     * @return what was refused, empty when all stand
     * @throws KernelException if the kernel could not be asked at all; any number of changes may have been made then
     */
    public List<Failure> apply(List<XfrmChange> changes) throws KernelException {
        lock.lock();
        try {
            Application application = new Application();
            CompletableFuture<Void> grace = CompletableFuture.completedFuture(null);
            for (int from = 0, to; from < changes.size(); from = to) {
                if (changes.get(from) instanceof XfrmChange.BeginGracePeriod) {
                    grace = GracePeriod.begin();
                    to = from + 1;
                } else if (changes.get(from) instanceof XfrmChange.EndGracePeriod) {
                    grace.join();
                    to = from + 1;
                } else {
                    to = endOfBatch(changes, from);
                    application.make(changes.subList(from, to));
                }
            }
            return List.copyOf(application.failures);
        } finally {
            lock.unlock();
        }
    }

    /** Where a batch ends that begins there: it is full, or a moment comes. */
    private static int endOfBatch(List<XfrmChange> changes, int from) {
        int most = Math.min(changes.size(), from + Batch.MAX_MESSAGES);
        int at = from;
        while (at < most && !(changes.get(at) instanceof XfrmChange.Moment)) {
            at++;
        }
        return at;
    }

    /**
     * Changes being made, batch by batch: so each of these methods is called often enough to be compiled soon, where one
     * that walks all changes in a single call would go on being interpreted for days.
     */
    private final class Application {
        final List<Failure> failures = new ArrayList<>();
        /** Our states, by the kernel's list, if one was in the way of another; they are looked up once. */
        private Optional<Map<SecurityAssociation.Id, SecurityAssociation>> standing = Optional.empty();
        /** Whether the kernel's list was asked who is ours. */
        private boolean listed;

        void make(List<XfrmChange> batch) throws KernelException {
            List<XfrmChange> mine = isDoubtful(batch) ? withoutForeignDeletions(batch) : batch;
            List<NetlinkSocket.Answer> answers = socket.exchange(mine, writer);
            for (int i = 0; i < answers.size(); i++) {
                settle(mine.get(i), answers.get(i));
            }
        }

        /**
         * Whether it deletes a state that nobody here is known to have made. The kernel finds a state to delete by
         * destination and SPI, label or not. What the batch adds is ours from here on.
         */
        private boolean isDoubtful(List<XfrmChange> batch) {
            for (int i = 0; i < batch.size(); i++) {
                XfrmChange change = batch.get(i);
                if (change instanceof XfrmChange.AddState add) {
                    known.add(add.association().id());
                } else if (change instanceof XfrmChange.DeleteState delete && !known.contains(delete.id())) {
                    return true;
                }
            }
            return false;
        }

        private List<XfrmChange> withoutForeignDeletions(List<XfrmChange> batch) throws KernelException {
            if (!listed) {
                states();
                listed = true;
            }
            for (XfrmChange change : batch) {
                if (change instanceof XfrmChange.AddState add) {
                    known.add(add.association().id());
                }
            }
            return batch.stream()
                    .filter(change -> !(change instanceof XfrmChange.DeleteState delete) || isKnown(delete.id()))
                    .toList();
        }

        /** Whether a state of ours is in that place: two senders with one SPI share a state, which bears one's address. */
        private boolean isKnown(SecurityAssociation.Id id) {
            return known.contains(id) || known.stream().anyMatch(id::isInPlaceOf);
        }

        private void settle(XfrmChange change, NetlinkSocket.Answer answer) throws KernelException {
            if (answer.done() || isGone(change, answer)) {
                if (change instanceof XfrmChange.DeleteState delete) {
                    known.remove(delete.id());
                }
                return;
            }
            if (change instanceof XfrmChange.AddState add) {
                if (answer.errno() == Errno.EEXIST && standing.isEmpty()) {
                    standing = Optional.of(byId(states()));
                }
                if (!standing.orElse(Map.of()).containsKey(add.association().id())) {
                    known.remove(add.association().id());
                }
            }
            refusal(change, answer, standing.orElse(Map.of())).ifPresent(why -> failures.add(new Failure(change, why)));
        }
    }

    private static boolean isGone(XfrmChange change, NetlinkSocket.Answer answer) {
        return change instanceof XfrmChange.DeleteState && answer.errno() == Errno.ESRCH
                || change instanceof XfrmChange.DeletePolicy && answer.errno() == Errno.ENOENT;
    }

    /** Why a change was refused; empty if it adds a state that is there already, as it should be. */
    private static Optional<KernelException> refusal(
            XfrmChange change,
            NetlinkSocket.Answer answer,
            Map<SecurityAssociation.Id, SecurityAssociation> standing) {
        return switch (change) {
            case XfrmChange.AddState(var wanted) when answer.errno() == Errno.EEXIST -> {
                SecurityAssociation there = standing.get(wanted.id());
                yield wanted.equals(there)
                        ? Optional.empty()
                        : Optional.of(new KernelException(
                                "add " + wanted, Errno.EEXIST, inTheWay(standing.values(), there, wanted)));
            }
            case XfrmChange.AddState add -> Optional.of(refusedState(add, answer));
            case XfrmChange.DeleteState(var id) -> Optional.of(answer.failure("delete " + id));
            case XfrmChange.PutPolicy(var policy) -> Optional.of(answer.failure("put " + policy));
            case XfrmChange.DeletePolicy(var id) -> Optional.of(answer.failure("delete " + id));
            case XfrmChange.Moment _ -> Optional.empty();
        };
    }

    /** @param there the state with the same id, null if there is none */
    private static String inTheWay(
            Collection<SecurityAssociation> standing, SecurityAssociation there, SecurityAssociation wanted) {
        if (there == null) {
            return standing.stream()
                    .map(SecurityAssociation::id)
                    .filter(wanted.id()::isInPlaceOf)
                    .findFirst()
                    .map(id -> "EEXIST: the state of sender %s has its destination and SPI"
                            .formatted(id.source().getHostAddress()))
                    .orElse("EEXIST: a state of another maker has its destination and SPI");
        }
        return "EEXIST: it stands with another " + (there.key().equals(wanted.key()) ? "replay window" : "key");
    }

    private static Map<SecurityAssociation.Id, SecurityAssociation> byId(List<SecurityAssociation> states) {
        var byId = new HashMap<SecurityAssociation.Id, SecurityAssociation>();
        states.forEach(state -> byId.put(state.id(), state));
        return byId;
    }

    /** The errno says which part of the kernel is missing; the operator should hear which module brings it. */
    private static KernelException refusedState(XfrmChange.AddState add, NetlinkSocket.Answer answer) {
        KernelException refused = answer.failure("add " + add.association());
        boolean v4 = add.association().id().destination() instanceof Inet4Address;
        String missing = switch (answer.errno()) {
            // xfrm_aead_get_byname() did not find it, or crypto_alloc_aead() a part of it.
            case Errno.ENOSYS, Errno.ENOENT ->
                "AES-GCM: modprobe gcm seqiv, or use a kernel built with CONFIG_CRYPTO_GCM and CONFIG_CRYPTO_SEQIV";
            // xfrm_get_type() did not find it.
            case Errno.EPROTONOSUPPORT -> "ESP: modprobe %s, or use a kernel built with CONFIG_%s"
                    .formatted(v4 ? "esp4" : "esp6", v4 ? "INET_ESP" : "INET6_ESP");
            default -> "";
        };
        return missing.isEmpty()
                ? refused
                : new KernelException(refused.getMessage(), answer.errno(), "the kernel lacks " + missing);
    }

    /**
     * Our states with their keys. A kernel that is locked down for confidentiality gives keys of zeros
     * (xfrm_redact() in {@code net/xfrm/xfrm_user.c}).
     */
    public List<SecurityAssociation> states() throws KernelException {
        return standing().stream().map(Standing::association).toList();
    }

    /**
     * A state as it stands in the kernel.
     *
     * @param sent sequence number of the last packet it sealed, 0 before the first; unsigned. Without ESN the kernel
     *     seals no more after 2<sup>32</sup> - 1: sends fail with EOVERFLOW (xfrm_replay_overflow() in
     *     {@code net/xfrm/xfrm_replay.c}).
     */
    public record Standing(SecurityAssociation association, long sent) {}

    /** Our {@link #states()}, and how far they are with their sequence numbers. */
    public List<Standing> standing() throws KernelException {
        lock.lock();
        try {
            List<Standing> states = socket.dump(
                    "list states",
                    b -> b.add(XFRM_MSG_GETSA, NLM_F_DUMP),
                    Xfrm::readState);
            known.clear();
            states.forEach(state -> known.add(state.association().id()));
            return states;
        } finally {
            lock.unlock();
        }
    }

    /** Our policies. */
    public List<SecurityPolicy> policies() throws KernelException {
        return outgoing().stream()
                .filter(SecurityPolicy.class::isInstance)
                .map(SecurityPolicy.class::cast)
                .toList();
    }

    /** Our policies, and those of other makers that may take packets of this host. */
    public List<OutgoingPolicy> outgoing() throws KernelException {
        return socket.dump("list policies", b -> b.add(XFRM_MSG_GETPOLICY, NLM_F_DUMP), Xfrm::readPolicy);
    }

    /** By instanceof: a switch over types is linked when it is first come to, which takes longer than a rotation. */
    private static void write(Batch batch, XfrmChange change) {
        if (change instanceof XfrmChange.AddState add) {
            writeState(batch, add.association());
        } else if (change instanceof XfrmChange.DeleteState delete) {
            writeStateDeletion(batch, delete.id());
        } else if (change instanceof XfrmChange.PutPolicy put) {
            writePolicy(batch, put.policy());
        } else if (change instanceof XfrmChange.DeletePolicy delete) {
            writePolicyDeletion(batch, delete.id());
        }
    }

    private static void writeWithoutEffect(Batch batch, XfrmChange change) {
        write(batch, change);
        batch.passOver();
    }

    private static void writeState(Batch batch, SecurityAssociation association) {
        SecurityAssociation.Id id = association.id();
        AeadKey key = association.key();
        int window = association.replayWindow();
        // A selector of zeros matches everything; the kernel fills in the family (copy_from_user_state()).
        NetlinkMessage message = batch.add(XFRM_MSG_NEWSA, NLM_F_CREATE | NLM_F_EXCL)
                .zeros(SELECTOR_USER).u32(LABEL);
        xfrmId(message, id.destination(), id.spi())
                .field(id.source(), ADDRESS_LENGTH);
        lifetimes(message)
                .zeros(LIFETIME_CUR_LENGTH)
                .zeros(12)
                .u32(0).u32(REQID).u16(family(id.destination())).u8(XFRM_MODE_TRANSPORT)
                // This window is of the numbers of 32 bits, and must be 0 beside one with ESN (verify_replay()).
                .u8(0)
                .u8(window == 0 ? 0 : XFRM_STATE_ESN)
                .zeros(7)
                .header(XFRMA_ALG_AEAD, ALGO_AEAD_LENGTH + key.length())
                .field(ALGORITHM, ALGORITHM_NAME_LENGTH)
                .u32(8 * key.length())
                .u32(ICV_LENGTH);
        key.write(message);
        if (window != 0) {
            // xfrm_replay_state_esn. The bitmap may be left out and is zeros then (xfrm_alloc_replay_state_esn()). A
            // state that sends needs a window too, though it never looks at it (xfrm_init_replay()).
            message.attribute(XFRMA_REPLAY_ESN_VAL, replay -> replay
                    .u32(Math.ceilDiv(window, Integer.SIZE))
                    .u32(0).u32(0).u32(0).u32(0)
                    .u32(window));
        }
    }

    private static void writeStateDeletion(Batch batch, SecurityAssociation.Id id) {
        batch.add(XFRM_MSG_DELSA, 0)
                .field(id.destination(), ADDRESS_LENGTH)
                .be32(id.spi())
                .u16(family(id.destination())).u8(IPPROTO_ESP).u8(0)
                .header(XFRMA_SRCADDR, ADDRESS_LENGTH)
                .field(id.source(), ADDRESS_LENGTH);
    }

    private static void writePolicy(Batch batch, SecurityPolicy policy) {
        SecurityPolicy.Id id = policy.id();
        boolean block = policy.action() instanceof SecurityPolicy.Action.Block;
        NetlinkMessage message = batch.add(XFRM_MSG_UPDPOLICY, 0);
        lifetimes(selector(message, id))
                .zeros(LIFETIME_CUR_LENGTH)
                .u32(block ? SecurityPolicy.Action.Block.PRIORITY : SecurityPolicy.Action.Seal.PRIORITY)
                .u32(0)
                .u8(XFRM_POLICY_OUT).u8(block ? XFRM_POLICY_BLOCK : XFRM_POLICY_ALLOW).zeros(6);
        if (policy.action() instanceof SecurityPolicy.Action.Seal seal) {
            xfrmId(message.header(XFRMA_TMPL, USER_TMPL_LENGTH), id.destination().address(), seal.spi())
                    .u16(family(id.destination().address())).zeros(2)
                    .field(id.source().address(), ADDRESS_LENGTH)
                    .u32(REQID)
                    .u8(XFRM_MODE_TRANSPORT).u8(0).u8(0).zeros(1)
                    .u32(-1).u32(-1).u32(-1);
        }
        mark(message, id);
    }

    private static void writePolicyDeletion(Batch batch, SecurityPolicy.Id id) {
        mark(selector(batch.add(XFRM_MSG_DELPOLICY, 0), id).u32(0).u8(XFRM_POLICY_OUT).zeros(3), id);
    }

    /** xfrm_selector. */
    private static NetlinkMessage selector(NetlinkMessage message, SecurityPolicy.Id id) {
        return message
                .field(id.destination().address(), ADDRESS_LENGTH)
                .field(id.source().address(), ADDRESS_LENGTH)
                .be16(id.port()).be16(0xffff)
                .be16(0).be16(0)
                .u16(family(id.destination().address()))
                .u8(id.destination().prefix()).u8(id.source().prefix())
                .u8(IPPROTO_UDP).zeros(3)
                .u32(0)
                .u32(LABEL);
    }

    /** xfrm_id. */
    private static NetlinkMessage xfrmId(NetlinkMessage message, InetAddress destination, int spi) {
        return message.field(destination, ADDRESS_LENGTH).be32(spi).u8(IPPROTO_ESP).zeros(3);
    }

    /** xfrm_lifetime_cfg without limits. */
    private static NetlinkMessage lifetimes(NetlinkMessage message) {
        return message.field(XFRM_INF, LIFETIME_CFG_LENGTH);
    }

    private static void mark(NetlinkMessage message, SecurityPolicy.Id id) {
        message.header(XFRMA_MARK, MARK_LENGTH).u32(id.mark()).u32(-1);
    }

    private static Optional<Standing> readState(int type, ByteBuffer payload) {
        if (type != XFRM_MSG_NEWSA || payload.getInt(SELECTOR_USER) != LABEL) {
            return Optional.empty();
        }
        int family = payload.getShort(212);
        Attributes attributes = Attributes.of(payload, USERSA_LENGTH);
        return attributes.get(XFRMA_ALG_AEAD).map(aead -> {
            byte[] key = new byte[aead.getInt(ALGORITHM_NAME_LENGTH) / 8];
            aead.get(ALGORITHM_NAME_LENGTH + 8, key);
            var id = new SecurityAssociation.Id(
                    address(payload, 80, family), address(payload, 56, family), be32(payload, 72));
            Optional<ByteBuffer> esn = attributes.get(XFRMA_REPLAY_ESN_VAL)
                    .filter(_ -> (payload.get(USERSA_FLAGS) & XFRM_STATE_ESN) != 0);
            int window = esn.map(replay -> replay.getInt(REPLAY_ESN_REPLAY_WINDOW))
                    .orElse(payload.get(USERSA_REPLAY_WINDOW) & 0xff);
            long sent = esn.map(replay -> (long) replay.getInt(REPLAY_ESN_OSEQ_HI) << 32 | u32(replay, REPLAY_ESN_OSEQ))
                    .or(() -> attributes.get(XFRMA_REPLAY_VAL).map(replay -> u32(replay, REPLAY_OSEQ)))
                    .orElse(0L);
            return new Standing(new SecurityAssociation(id, new AeadKey(key), window), sent);
        });
    }

    private static Optional<OutgoingPolicy> readPolicy(int type, ByteBuffer payload) {
        if (type != XFRM_MSG_NEWPOLICY) {
            return Optional.empty();
        }
        if (payload.getInt(SELECTOR_USER) != LABEL) {
            return payload.get(USERPOLICY_DIR) == XFRM_POLICY_OUT ? readForeign(payload) : Optional.empty();
        }
        int family = payload.getShort(40);
        Attributes attributes = Attributes.of(payload, USERPOLICY_LENGTH);
        var id = new SecurityPolicy.Id(
                new Cidr(address(payload, 16, family), payload.get(43) & 0xff),
                new Cidr(address(payload, 0, family), payload.get(42) & 0xff),
                Short.toUnsignedInt(Short.reverseBytes(payload.getShort(32))),
                attributes.u32(XFRMA_MARK).orElse(0));
        SecurityPolicy.Action action = payload.get(161) == XFRM_POLICY_BLOCK
                ? new SecurityPolicy.Action.Block()
                : new SecurityPolicy.Action.Seal(attributes.get(XFRMA_TMPL).map(t -> be32(t, 16)).orElse(0));
        return Optional.of(new SecurityPolicy(id, action));
    }

    /** Empty if it is for packets of an XFRM interface, or not among the main policies. */
    private static Optional<OutgoingPolicy> readForeign(ByteBuffer payload) {
        Attributes attributes = Attributes.of(payload, USERPOLICY_LENGTH);
        boolean elsewhere = attributes.u32(XFRMA_IF_ID).orElse(0) != 0
                || attributes.get(XFRMA_POLICY_TYPE).filter(kind -> kind.get(0) != XFRM_POLICY_TYPE_MAIN).isPresent();
        if (elsewhere) {
            return Optional.empty();
        }
        Optional<ByteBuffer> mark = attributes.get(XFRMA_MARK);
        return Optional.of(new ForeignPolicy(
                prefix(payload, 16, payload.get(43)),
                prefix(payload, 0, payload.get(42)),
                payload.get(44) & 0xff,
                Short.toUnsignedInt(Short.reverseBytes(payload.getShort(32))),
                Short.toUnsignedInt(Short.reverseBytes(payload.getShort(34))),
                mark.map(m -> m.getInt(0)).orElse(0),
                mark.map(m -> m.getInt(Integer.BYTES)).orElse(0),
                payload.getInt(USERPOLICY_PRIORITY)));
    }

    /** Of a policy's selector. Old kernels take prefixes longer than an address, which then mean all of it. */
    private static Cidr prefix(ByteBuffer payload, int at, byte length) {
        InetAddress address = address(payload, at, payload.getShort(40));
        return new Cidr(address, Math.min(length & 0xff, Cidr.bits(address)));
    }

    private static long u32(ByteBuffer payload, int at) {
        return Integer.toUnsignedLong(payload.getInt(at));
    }

    private static int be32(ByteBuffer payload, int at) {
        return payload.duplicate().order(ByteOrder.BIG_ENDIAN).getInt(at);
    }

    private static InetAddress address(ByteBuffer payload, int at, int family) {
        byte[] octets = new byte[family == AF_INET ? 4 : ADDRESS_LENGTH];
        payload.get(at, octets);
        return Attributes.address(octets);
    }

    private static int family(InetAddress address) {
        return address instanceof Inet4Address ? AF_INET : AF_INET6;
    }

    @Override
    public void close() {
        socket.close();
    }
}
