package io.vxseal.kernel.ruleset;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/**
 * The entries of a table of x_tables: its rules, one after the other.
 *
 * @param blob as the kernel returns them
 */
record LegacyEntries(LegacyEntries.Layout layout, ByteBuffer blob) {
    private static final List<String> HOOK_NAMES = List.of("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING");

    /*
     * struct xt_entry_match {     // linux/netfilter/x_tables.h, and struct xt_entry_target
     *     __u16 match_size;       //  0: with this header
     *     char name[29];          //  2
     *     __u8 revision;          // 31
     * };                          // 32
     * struct xt_standard_target {
     *     struct xt_entry_target target;
     *     int verdict;            // 32: where to go on, or below 0 a verdict
     * };
     */
    private static final int EXTENSION_NAME = 2;
    private static final int EXTENSION_REVISION = 31;
    private static final int EXTENSION_LENGTH = 32;

    /** Name of the target that names the chain which begins after it. */
    private static final String XT_ERROR_TARGET = "ERROR";

    // linux/netfilter.h: verdicts, as -verdict - 1
    private static final int DROP = -1;
    private static final int XT_RETURN = -5;

    private static final int IPT_F_FRAG = 1;

    /** Length of a chain's name. */
    private static final int XT_FUNCTION_MAXNAMELEN = 30;

    /**
     * The layout of an entry in one IP version, by the offsets of its fields.
     *
     * <pre>{@code
     * struct ipt_ip {                           // linux/netfilter_ipv4/ip_tables.h
     *     struct in_addr src, dst;              //   0, 4
     *     struct in_addr smsk, dmsk;            //   8, 12
     *     char iniface[16], outiface[16];       //  16, 32
     *     unsigned char iniface_mask[16];       //  48
     *     unsigned char outiface_mask[16];      //  64
     *     __u16 proto;                          //  80
     *     __u8 flags, invflags;                 //  82, 83
     * };
     * struct ipt_entry {
     *     struct ipt_ip ip;
     *     unsigned int nfcache;                 //  84
     *     __u16 target_offset, next_offset;     //  88, 90
     *     unsigned int comefrom;                //  92
     *     struct xt_counters counters;          //  96
     *     unsigned char elems[];                // 112
     * };
     * struct ip6t_ip6 {                         // linux/netfilter_ipv6/ip6_tables.h
     *     struct in6_addr src, dst;             //   0, 16
     *     struct in6_addr smsk, dmsk;           //  32, 48
     *     char iniface[16], outiface[16];       //  64, 80
     *     unsigned char iniface_mask[16];       //  96
     *     unsigned char outiface_mask[16];      // 112
     *     __u16 proto;                          // 128
     *     __u8 tos, flags, invflags;            // 130, 131, 132
     * };
     * struct ip6t_entry {
     *     struct ip6t_ip6 ipv6;
     *     unsigned int nfcache;                 // 136
     *     __u16 target_offset, next_offset;     // 140, 142
     *     unsigned int comefrom;                // 144
     *     struct xt_counters counters;          // 152
     *     unsigned char elems[];                // 168
     * };
     * }</pre>
     */
    enum Layout {
        IPV4(4, 80, 82, 2, 83, 88, 90, 112),
        IPV6(16, 128, 131, 4, 132, 140, 142, 168);

        /** Length of an address. */
        private final int address;

        private final int proto;
        private final int flags;

        /** Flag of a goto: IPT_F_GOTO, IP6T_F_GOTO. */
        private final int goTo;

        private final int invflags;
        private final int targetOffset;
        private final int nextOffset;
        private final int elems;

        Layout(int address, int proto, int flags, int goTo, int invflags, int targetOffset, int nextOffset, int elems) {
            this.address = address;
            this.proto = proto;
            this.flags = flags;
            this.goTo = goTo;
            this.invflags = invflags;
            this.targetOffset = targetOffset;
            this.nextOffset = nextOffset;
            this.elems = elems;
        }
    }

    /**
     * A chain of the kernel's.
     *
     * @param first offset of its first entry
     * @param policy offset of its last, the policy
     */
    record Hook(int number, int first, int policy) {}

    private int u16(int offset) {
        return Short.toUnsignedInt(blob.getShort(offset));
    }

    private int next(int entry) {
        return entry + Math.max(u16(entry + layout.nextOffset), layout.elems);
    }

    private String name(int extension) {
        byte[] octets = new byte[EXTENSION_REVISION - EXTENSION_NAME];
        blob.get(extension + EXTENSION_NAME, octets);
        return new String(octets, StandardCharsets.US_ASCII).split("\0", 2)[0];
    }

    private int target(int entry) {
        return entry + u16(entry + layout.targetOffset);
    }

    /** Returns the name that a chain's first entry has, which is no rule; empty for a rule. */
    private String heading(int entry) {
        int target = target(entry);
        return name(target).equals(XT_ERROR_TARGET)
                ? StandardCharsets.US_ASCII.decode(blob.slice(target + EXTENSION_LENGTH, XT_FUNCTION_MAXNAMELEN)).toString().split("\0", 2)[0]
                : "";
    }

    /** Returns the table's chains. Those of a table that does not filter have no hooks. */
    List<Chain> chains(List<Hook> hooks, boolean filters) {
        Map<Integer, String> names = new HashMap<>();
        for (int entry = 0; entry < blob.limit(); entry = next(entry)) {
            String heading = heading(entry);
            if (!heading.isEmpty()) {
                names.put(next(entry), heading);
            }
        }
        List<Chain> chains = new ArrayList<>();
        for (Hook hook : hooks) {
            chains.add(new Chain(HOOK_NAMES.get(hook.number), filters ? OptionalInt.of(hook.number) : OptionalInt.empty(),
                    verdict(hook.policy) == DROP, rules(hook.first, hook.policy, names)));
        }
        names.forEach((first, name) -> {
            int end = first;
            while (end < blob.limit() && heading(end).isEmpty()) {
                end = next(end);
            }
            chains.add(new Chain(name, OptionalInt.empty(), false, rules(first, end, names)));
        });
        return chains;
    }

    private List<Rule> rules(int first, int end, Map<Integer, String> names) {
        List<Rule> rules = new ArrayList<>();
        for (int entry = first; entry < end; entry = next(entry)) {
            rules.add(rule(entry, names));
        }
        return rules;
    }

    private int verdict(int entry) {
        return blob.getInt(target(entry) + EXTENSION_LENGTH);
    }

    private LegacyRule rule(int entry, Map<Integer, String> names) {
        String target = name(target(entry));
        List<XtMatch> matches = new ArrayList<>();
        for (int at = entry + layout.elems; at < target(entry); at += Math.max(u16(at), EXTENSION_LENGTH)) {
            matches.add(new XtMatch(name(at), Byte.toUnsignedInt(blob.get(at + EXTENSION_REVISION)),
                    blob.slice(at + EXTENSION_LENGTH, Math.max(u16(at), EXTENSION_LENGTH) - EXTENSION_LENGTH)));
        }
        int address = layout.address;
        int devices = 4 * address;
        return new LegacyRule(
                new LegacyRule.Masked(octets(entry, address), octets(entry + 2 * address, address)),
                new LegacyRule.Masked(octets(entry + address, address), octets(entry + 3 * address, address)),
                new LegacyRule.Masked(octets(entry + devices, LegacyRule.DEVICE), octets(entry + devices + 2 * LegacyRule.DEVICE, LegacyRule.DEVICE)),
                new LegacyRule.Masked(octets(entry + devices + LegacyRule.DEVICE, LegacyRule.DEVICE),
                        octets(entry + devices + 3 * LegacyRule.DEVICE, LegacyRule.DEVICE)),
                u16(entry + layout.proto),
                layout == Layout.IPV4 && (blob.get(entry + layout.flags) & IPT_F_FRAG) != 0,
                Byte.toUnsignedInt(blob.get(entry + layout.invflags)),
                matches,
                target,
                target.isEmpty() ? standard(entry, names) : Verdict.NEXT_RULE);
    }

    private ByteBuffer octets(int offset, int length) {
        return blob.slice(offset, length).order(ByteOrder.BIG_ENDIAN);
    }

    /** Returns what an entry without an extension as its target does. */
    private Verdict standard(int entry, Map<Integer, String> names) {
        int verdict = verdict(entry);
        if (verdict < 0) {
            return switch (verdict) {
                case DROP -> Verdict.DROP;
                case XT_RETURN -> Verdict.RETURN;
                default -> Verdict.ACCEPT;
            };
        }
        // A rule without a target goes on with the next one.
        if (verdict == next(entry)) {
            return Verdict.NEXT_RULE;
        }
        boolean isGoto = (blob.get(entry + layout.flags) & layout.goTo) != 0;
        return new Verdict(isGoto ? Verdict.Kind.GOTO : Verdict.Kind.JUMP, names.getOrDefault(verdict, ""));
    }
}
