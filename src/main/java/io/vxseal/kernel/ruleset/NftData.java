package io.vxseal.kernel.ruleset;

import io.vxseal.kernel.netlink.Attributes;
import io.vxseal.kernel.netlink.NftAttributes;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Optional;
import java.util.OptionalInt;

/** Numbers, octets and verdicts in attributes of nf_tables ({@code linux/netfilter/nf_tables.h}). */
final class NftData {
    private static final int NFTA_DATA_VERDICT = 2;
    private static final int NFTA_VERDICT_CODE = 1;
    private static final int NFTA_VERDICT_CHAIN = 2;

    // linux/netfilter.h, linux/netfilter/nf_tables.h: verdicts
    private static final int NF_DROP = 0;
    private static final int NFT_CONTINUE = -1;
    private static final int NFT_BREAK = -2;
    private static final int NFT_JUMP = -3;
    private static final int NFT_GOTO = -4;
    private static final int NFT_RETURN = -5;

    private NftData() {}

    /** Returns a number, which is in the order of the network. */
    static OptionalInt number(Attributes attributes, int type) {
        return attributes.get(type)
                .filter(payload -> payload.remaining() >= Integer.BYTES)
                .map(payload -> OptionalInt.of(payload.duplicate().order(ByteOrder.BIG_ENDIAN).getInt(0)))
                .orElse(OptionalInt.empty());
    }

    /** Returns the octets of an attribute that contains a value. */
    static Optional<ByteBuffer> value(Attributes attributes, int type) {
        return attributes.nested(type).get(NftAttributes.NFTA_DATA_VALUE);
    }

    /** Returns the verdict of an attribute that contains one; empty if it has something else. */
    static Optional<Verdict> verdict(Attributes attributes, int type) {
        return attributes.nested(type).get(NFTA_DATA_VERDICT).map(payload -> Attributes.of(payload, 0)).map(verdict -> {
            String chain = verdict.text(NFTA_VERDICT_CHAIN).orElse("");
            return switch (number(verdict, NFTA_VERDICT_CODE).orElse(NFT_BREAK)) {
                case NF_DROP -> Verdict.DROP;
                case NFT_CONTINUE, NFT_BREAK -> Verdict.NEXT_RULE;
                case NFT_JUMP -> new Verdict(Verdict.Kind.JUMP, chain);
                case NFT_GOTO -> new Verdict(Verdict.Kind.GOTO, chain);
                case NFT_RETURN -> Verdict.RETURN;
                // NF_ACCEPT, and NF_QUEUE: another program decides.
                default -> Verdict.ACCEPT;
            };
        });
    }
}
