package io.vxseal.kernel.ruleset;

import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netlink.Attributes;
import io.vxseal.kernel.netlink.NftAttributes;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * A rule of nf_tables: expressions that load items of the packet into registers, compare them, and give a verdict.
 *
 * @param sets the table's
 */
record NftRule(List<NftRule.Expression> expressions, NftRule.Sets sets) implements Rule {
    private static final int NFTA_EXPR_NAME = 1;
    private static final int NFTA_EXPR_DATA = 2;
    private static final int NFTA_IMMEDIATE_DREG = 1;
    private static final int NFTA_IMMEDIATE_DATA = 2;
    private static final int NFTA_CMP_SREG = 1;
    private static final int NFTA_CMP_OP = 2;
    private static final int NFTA_CMP_DATA = 3;
    private static final int NFTA_RANGE_SREG = 1;
    private static final int NFTA_RANGE_OP = 2;
    private static final int NFTA_RANGE_FROM_DATA = 3;
    private static final int NFTA_RANGE_TO_DATA = 4;
    private static final int NFTA_BITWISE_SREG = 1;
    private static final int NFTA_BITWISE_DREG = 2;
    private static final int NFTA_BITWISE_MASK = 4;
    private static final int NFTA_BITWISE_XOR = 5;
    private static final int NFTA_BITWISE_OP = 6;
    private static final int NFTA_LOOKUP_SET = 1;
    private static final int NFTA_LOOKUP_SREG = 2;
    private static final int NFTA_LOOKUP_DREG = 3;
    private static final int NFTA_LOOKUP_FLAGS = 5;
    private static final int NFTA_META_SREG = 3;
    private static final int NFTA_CT_SREG = 4;
    private static final int NFTA_PAYLOAD_SREG = 5;
    private static final int NFTA_OBJREF_IMM_TYPE = 1;
    private static final int NFTA_TARGET_NAME = 1;

    private static final int NFT_REG_VERDICT = 0;
    private static final int NFT_RANGE_NEQ = 1;
    private static final int NFT_LOOKUP_F_INV = 1;
    private static final int NFT_OBJECT_COUNTER = 1;

    /** Expressions that leave the packet to something that the rules do not show. */
    private static final Set<String> OTHERWISE_DECIDED = Set.of("queue", "tproxy", "synproxy", "fwd");

    /** Expressions that decide nothing. */
    private static final Set<String> WITHOUT_EFFECT = Set.of("counter", "log", "notrack", "last", "dup");

    /**
     * An expression.
     *
     * @param name as in {@code "cmp"}
     */
    record Expression(String name, Attributes data) {
        int number(int type) {
            return NftData.number(data, type).orElse(0);
        }
    }

    /** The sets of a rule's table. */
    interface Sets {
        NftSet get(String name) throws KernelException;
    }

    /** Reads a rule's list of expressions. */
    static NftRule read(ByteBuffer list, Sets sets) {
        return new NftRule(Attributes.all(list, NftAttributes.NFTA_LIST_ELEM).stream()
                .map(payload -> Attributes.of(payload, 0))
                .map(expression -> new Expression(expression.text(NFTA_EXPR_NAME).orElse(""), expression.nested(NFTA_EXPR_DATA)))
                .toList(), sets);
    }

    @Override
    public Step apply(Packet packet) throws KernelException {
        var registers = new Registers();
        Match match = Match.YES;
        for (Expression expression : expressions) {
            Optional<Step> decision = decision(expression, registers);
            if (decision.isPresent()) {
                return new Step(match == Match.YES && decision.get().certain(), decision.get().verdicts());
            }
            match = match.and(condition(expression, registers, packet));
            if (match == Match.NO) {
                return Step.NONE;
            }
        }
        return Step.NONE;
    }

    @Override
    public boolean skipsTracking() {
        return expressions.stream().anyMatch(expression -> expression.name.equals("notrack")
                || expression.name.equals("target") && XtTarget.skipsTracking(expression.data.text(NFTA_TARGET_NAME).orElse("")));
    }

    /** Returns what an expression that gives a verdict does; empty for another one. */
    private Optional<Step> decision(Expression expression, Registers registers) throws KernelException {
        return switch (expression.name) {
            case "immediate" -> expression.number(NFTA_IMMEDIATE_DREG) == NFT_REG_VERDICT
                    ? NftData.verdict(expression.data, NFTA_IMMEDIATE_DATA).map(verdict -> Step.of(Match.YES, verdict))
                    : Optional.empty();
            case "reject" -> Optional.of(Step.of(Match.YES, Verdict.DROP));
            case "lookup" -> isMap(expression) ? Optional.of(mapped(expression, registers)) : Optional.empty();
            case "target" -> XtTarget.step(expression.data.text(NFTA_TARGET_NAME).orElse(""));
            default -> OTHERWISE_DECIDED.contains(expression.name)
                    ? Optional.of(new Step(false, List.of(Verdict.ACCEPT))) : Optional.empty();
        };
    }

    private static boolean isMap(Expression expression) {
        return NftData.number(expression.data, NFTA_LOOKUP_DREG).equals(OptionalInt.of(NFT_REG_VERDICT));
    }

    /** Returns the verdicts that a map has for a value. */
    private Step mapped(Expression expression, Registers registers) throws KernelException {
        Value value = registers.get(expression.number(NFTA_LOOKUP_SREG));
        NftSet map = set(expression);
        if (!map.isComparable(value)) {
            return new Step(false, List.copyOf(map.verdicts()));
        }
        List<Optional<Verdict>> found = value.octets().stream().map(map::get).distinct().toList();
        List<Verdict> verdicts = found.stream().flatMap(Optional::stream).toList();
        return verdicts.isEmpty() ? Step.NONE : new Step(found.stream().allMatch(Optional::isPresent), verdicts);
    }

    private NftSet set(Expression expression) throws KernelException {
        return sets.get(expression.data.text(NFTA_LOOKUP_SET).orElse(""));
    }

    /** Returns whether the rule goes on after an expression without a verdict. */
    private Match condition(Expression expression, Registers registers, Packet packet) throws KernelException {
        if (WITHOUT_EFFECT.contains(expression.name)) {
            return Match.YES;
        }
        return switch (expression.name) {
            case "cmp" -> compare(expression, registers);
            case "range" -> range(expression, registers);
            case "lookup" -> lookup(expression, registers);
            case "bitwise" -> {
                registers.set(expression.number(NFTA_BITWISE_DREG), bitwise(expression, registers));
                yield Match.YES;
            }
            case "match" -> XtMatch.read(expression.data).test(packet);
            case "objref" -> expression.number(NFTA_OBJREF_IMM_TYPE) == NFT_OBJECT_COUNTER ? Match.YES : Match.MAYBE;
            case "immediate" -> {
                registers.set(expression.number(NFTA_IMMEDIATE_DREG), NftData.value(expression.data, NFTA_IMMEDIATE_DATA)
                        .map(octets -> new Value(Set.of(octets), false)).orElse(Value.UNKNOWN));
                yield Match.YES;
            }
            case "meta", "ct", "payload" -> {
                if (!isWrite(expression)) {
                    NftLoad.load(expression.name, expression.data, packet, registers);
                }
                yield Match.YES;
            }
            default -> {
                // It may load something, and may end the rule.
                registers.forget();
                yield Match.MAYBE;
            }
        };
    }

    /** Returns whether an expression changes an item of the packet. */
    private static boolean isWrite(Expression expression) {
        int source = switch (expression.name) {
            case "meta" -> NFTA_META_SREG;
            case "ct" -> NFTA_CT_SREG;
            default -> NFTA_PAYLOAD_SREG;
        };
        return expression.data.get(source).isPresent();
    }

    private static Match compare(Expression expression, Registers registers) {
        Optional<ByteBuffer> data = NftData.value(expression.data, NFTA_CMP_DATA);
        Value value = registers.get(expression.number(NFTA_CMP_SREG));
        if (data.isEmpty()) {
            return Match.MAYBE;
        }
        ByteBuffer octets = data.get();
        // enum nft_cmp_ops: EQ, NEQ, LT, LTE, GT, GTE
        return switch (expression.number(NFTA_CMP_OP)) {
            case 0 -> value.startsWith(octets);
            case 1 -> value.startsWith(octets).not();
            case 2 -> value.test(some -> order(some, octets) < 0);
            case 3 -> value.test(some -> order(some, octets) <= 0);
            case 4 -> value.test(some -> order(some, octets) > 0);
            case 5 -> value.test(some -> order(some, octets) >= 0);
            default -> Match.MAYBE;
        };
    }

    private static int order(ByteBuffer one, ByteBuffer other) {
        return Arrays.compareUnsigned(octets(one), octets(other));
    }

    private static byte[] octets(ByteBuffer buffer) {
        byte[] octets = new byte[buffer.remaining()];
        buffer.duplicate().get(octets);
        return octets;
    }

    private static Match range(Expression expression, Registers registers) {
        Optional<ByteBuffer> from = NftData.value(expression.data, NFTA_RANGE_FROM_DATA);
        Optional<ByteBuffer> to = NftData.value(expression.data, NFTA_RANGE_TO_DATA);
        if (from.isEmpty() || to.isEmpty()) {
            return Match.MAYBE;
        }
        return registers.get(expression.number(NFTA_RANGE_SREG))
                .test(some -> order(some, from.get()) >= 0 && order(some, to.get()) <= 0)
                .invertedIf(expression.number(NFTA_RANGE_OP) == NFT_RANGE_NEQ);
    }

    private Match lookup(Expression expression, Registers registers) throws KernelException {
        Value value = registers.get(expression.number(NFTA_LOOKUP_SREG));
        if (expression.data.get(NFTA_LOOKUP_DREG).isPresent()) {
            // A map of values, not of verdicts.
            registers.set(expression.number(NFTA_LOOKUP_DREG), Value.UNKNOWN);
            return Match.MAYBE;
        }
        if (!value.isListed()) {
            return Match.MAYBE;
        }
        NftSet set = set(expression);
        return set.isComparable(value)
                ? value.test(some -> set.get(some).isPresent())
                        .invertedIf((expression.number(NFTA_LOOKUP_FLAGS) & NFT_LOOKUP_F_INV) != 0)
                : Match.MAYBE;
    }

    private static Value bitwise(Expression expression, Registers registers) {
        Optional<ByteBuffer> mask = NftData.value(expression.data, NFTA_BITWISE_MASK);
        Optional<ByteBuffer> xor = NftData.value(expression.data, NFTA_BITWISE_XOR);
        if (expression.number(NFTA_BITWISE_OP) != 0 || mask.isEmpty() || xor.isEmpty()) {
            return Value.UNKNOWN;
        }
        return registers.get(expression.number(NFTA_BITWISE_SREG)).map(some -> {
            int length = Math.min(some.remaining(), Math.min(mask.get().remaining(), xor.get().remaining()));
            ByteBuffer result = ByteBuffer.allocate(length);
            for (int at = 0; at < length; at++) {
                result.put(at, (byte) (some.get(at) & mask.get().get(at) ^ xor.get().get(at)));
            }
            return result;
        });
    }
}
