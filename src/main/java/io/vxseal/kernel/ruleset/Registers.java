package io.vxseal.kernel.ruleset;

import java.util.HashMap;
import java.util.Map;

/** The registers of nf_tables, 16 of four octets or four of sixteen ({@code enum nft_registers}), while a rule is applied. */
final class Registers {
    private static final int NFT_REG_1 = 1;
    private static final int NFT_REG_4 = 4;
    private static final int NFT_REG32_00 = 8;
    private static final int WORDS = 4;

    /** By the first of their words of four octets. */
    private final Map<Integer, Value> values = new HashMap<>();

    private static int word(int register) {
        return register >= NFT_REG_1 && register <= NFT_REG_4 ? (register - NFT_REG_1) * WORDS : register - NFT_REG32_00;
    }

    /** Sets a register, and forgets every value that may share octets with it. */
    void set(int register, Value value) {
        int word = word(register);
        values.keySet().removeIf(other -> Math.abs(other - word) < WORDS);
        values.put(word, value);
    }

    Value get(int register) {
        return values.getOrDefault(word(register), Value.UNKNOWN);
    }

    void forget() {
        values.clear();
    }
}
