package io.vxseal.kernel.balancer;

import io.vxseal.kernel.netlink.Attributes;
import io.vxseal.kernel.netlink.NetlinkMessage;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * An expression of a rule as the kernel lists it. It has the attributes that the expression was made of, and others, which say what the
 * kernel does by default.
 *
 * @param data attributes by type
 * @param set that it looks a value up in; empty for other expressions
 */
record ListedExpression(String name, Map<Integer, ByteBuffer> data, String set) {
    /** Octets for one expression; the longest here take a fraction. */
    private static final int MAX_LENGTH = 512;

    private static final String LOOKUP = "lookup";
    private static final String NAT = "nat";

    /** Differ from what was given: a map for one rule gets a number into its name, and an id is valid in one transaction. */
    private static final Set<Integer> NAMES_OF_SET = Set.of(Expression.NFTA_LOOKUP_SET, Expression.NFTA_LOOKUP_SET_ID);

    private static final int NFTA_NAT_REG_ADDR_MAX = 4;
    private static final int NFTA_NAT_REG_PROTO_MAX = 6;
    private static final int NFTA_NAT_FLAGS = 7;

    /** {@code linux/netfilter/nf_nat.h}: NF_NAT_RANGE_MAP_IPS and NF_NAT_RANGE_PROTO_SPECIFIED, which follow from the registers. */
    private static final int FLAGS_OF_REGISTERS = 0x3;

    private static final ByteBuffer NOTHING = ByteBuffer.allocate(0);
    private static final byte[] ANONYMOUS = (BalancerMessages.ANONYMOUS + "\0").getBytes(StandardCharsets.US_ASCII);

    /** Copies an element of a rule's list. */
    static ListedExpression of(ByteBuffer element) {
        Attributes attributes = Attributes.of(element, 0);
        Attributes data = attributes.nested(BalancerMessages.NFTA_EXPR_DATA);
        String name = attributes.text(BalancerMessages.NFTA_EXPR_NAME).orElse("");
        return new ListedExpression(name, copy(data), name.equals(LOOKUP) ? data.text(Expression.NFTA_LOOKUP_SET).orElse("") : "");
    }

    private static Map<Integer, ByteBuffer> copy(Attributes attributes) {
        Map<Integer, ByteBuffer> copies = new HashMap<>();
        for (int type : attributes.types()) {
            attributes.get(type).ifPresent(octets ->
                    copies.put(type, ByteBuffer.allocate(octets.limit()).put(0, octets, 0, octets.limit())));
        }
        return copies;
    }

    /** Returns whether the rules of a chain are these, in their order. */
    static boolean areAll(List<List<ListedExpression>> listed, List<List<Expression>> wanted) {
        if (listed.size() != wanted.size()) {
            return false;
        }
        for (int n = 0; n < wanted.size(); n++) {
            if (!isRule(listed.get(n), wanted.get(n))) {
                return false;
            }
        }
        return true;
    }

    private static boolean isRule(List<ListedExpression> listed, List<Expression> wanted) {
        if (listed.size() != wanted.size()) {
            return false;
        }
        for (int n = 0; n < wanted.size(); n++) {
            if (!listed.get(n).is(wanted.get(n))) {
                return false;
            }
        }
        return true;
    }

    private boolean is(Expression wanted) {
        if (!name.equals(wanted.name())) {
            return false;
        }
        Map<Integer, ByteBuffer> written = written(wanted);
        return hasWanted(written) && hasOnlyDefaults(written.keySet());
    }

    private static Map<Integer, ByteBuffer> written(Expression expression) {
        byte[] octets = new byte[MAX_LENGTH];
        NetlinkMessage message = new NetlinkMessage(octets).begin(0, 0, 0, 0);
        int start = message.end();
        expression.data().accept(message);
        return copy(Attributes.of(ByteBuffer.wrap(octets, 0, message.end()).order(ByteOrder.nativeOrder()), start));
    }

    private ByteBuffer octets(int type) {
        return data.getOrDefault(type, NOTHING);
    }

    private boolean hasWanted(Map<Integer, ByteBuffer> wanted) {
        return wanted.entrySet().stream().allMatch(attribute ->
                attribute.getValue().equals(octets(attribute.getKey()))
                        || name.equals(LOOKUP) && NAMES_OF_SET.contains(attribute.getKey()) && isSetOf(wanted));
    }

    private boolean isSetOf(Map<Integer, ByteBuffer> wanted) {
        ByteBuffer named = wanted.getOrDefault(Expression.NFTA_LOOKUP_SET, NOTHING);
        return named.equals(octets(Expression.NFTA_LOOKUP_SET)) || named.equals(ByteBuffer.wrap(ANONYMOUS));
    }

    private boolean isZero(int type) {
        ByteBuffer octets = octets(type);
        for (int n = 0; n < octets.limit(); n++) {
            if (octets.get(n) != 0) {
                return false;
            }
        }
        return true;
    }

    private boolean followsFromRegisters(int type) {
        ByteBuffer octets = octets(type);
        return switch (type) {
            case NFTA_NAT_REG_ADDR_MAX -> octets.equals(octets(Expression.NFTA_NAT_REG_ADDR_MIN));
            case NFTA_NAT_REG_PROTO_MAX -> octets.equals(octets(Expression.NFTA_NAT_REG_PROTO_MIN));
            case NFTA_NAT_FLAGS -> octets.limit() == Integer.BYTES && (octets.getInt(0) & ~FLAGS_OF_REGISTERS) == 0;
            default -> false;
        };
    }

    private boolean hasOnlyDefaults(Set<Integer> wanted) {
        Set<Integer> others = new HashSet<>(data.keySet());
        others.removeAll(wanted);
        return others.stream().allMatch(type -> isZero(type) || name.equals(NAT) && followsFromRegisters(type));
    }
}
