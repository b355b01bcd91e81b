package io.vxseal.kernel.ruleset;

import java.nio.ByteBuffer;
import java.util.List;

/**
 * A rule of iptables-legacy.
 *
 * @param protocol 0 for any
 * @param fragments whether it is for later fragments only
 * @param inverted the conditions that have "!" before them
 * @param target extension that is its target; empty for a verdict
 */
record LegacyRule(
        LegacyRule.Masked source,
        LegacyRule.Masked destination,
        LegacyRule.Masked inputDevice,
        LegacyRule.Masked outputDevice,
        int protocol,
        boolean fragments,
        int inverted,
        List<XtMatch> matches,
        String target,
        Verdict verdict)
        implements Rule {
    /** Length of a device's name, IFNAMSIZ. */
    static final int DEVICE = 16;

    // linux/netfilter_ipv4/ip_tables.h, and IP6T_INV_...
    private static final int IPT_INV_VIA_IN = 0x01;
    private static final int IPT_INV_VIA_OUT = 0x02;
    private static final int IPT_INV_SRCIP = 0x08;
    private static final int IPT_INV_DSTIP = 0x10;
    private static final int IPT_INV_PROTO = 0x40;

    /** Octets of which those count that the mask has. */
    record Masked(ByteBuffer octets, ByteBuffer mask) {
        private boolean isAny() {
            return count() == 0;
        }

        /** Returns how many octets the mask has something of. */
        private int count() {
            int count = 0;
            for (int at = 0; at < mask.remaining(); at++) {
                count += mask.get(at) == 0 ? 0 : 1;
            }
            return count;
        }

        private boolean covers(ByteBuffer address) {
            boolean same = address.remaining() == octets.remaining();
            for (int at = 0; at < octets.remaining() && same; at++) {
                same = ((address.get(at) ^ octets.get(at)) & mask.get(at)) == 0;
            }
            return same;
        }

        /** Returns whether a device's name is the one, or begins with it, where the name has "+" at its end. */
        private Match isOf(Value name) {
            return name.startsWith(octets.slice(0, count()));
        }
    }

    LegacyRule {
        matches = List.copyOf(matches);
    }

    @Override
    public Step apply(Packet packet) {
        Match match = address(source, packet.sourceValue(), IPT_INV_SRCIP)
                .and(address(destination, packet.destinationValue(), IPT_INV_DSTIP))
                .and(device(inputDevice, packet.incoming(), IPT_INV_VIA_IN))
                .and(device(outputDevice, !packet.incoming(), IPT_INV_VIA_OUT))
                .and(protocol == 0 ? Match.YES : Match.of(protocol == packet.protocol()).invertedIf(has(IPT_INV_PROTO)))
                .and(fragments ? Match.MAYBE : Match.YES);
        for (XtMatch some : matches) {
            match = match.and(some.test(packet));
        }
        if (match == Match.NO || target.isEmpty()) {
            return Step.of(match, verdict);
        }
        Step step = XtTarget.step(target).orElse(Step.NONE);
        return new Step(match == Match.YES && step.certain(), step.verdicts());
    }

    private boolean has(int flag) {
        return (inverted & flag) != 0;
    }

    private Match address(Masked wanted, Value value, int flag) {
        return wanted.isAny() ? Match.YES : value.test(wanted::covers).invertedIf(has(flag));
    }

    /** Returns whether the packet passes the device, which is known to be another than loopback in one direction. */
    private Match device(Masked wanted, boolean passes, int flag) {
        if (wanted.isAny()) {
            return Match.YES;
        }
        return passes ? wanted.isOf(Packet.deviceName()).invertedIf(has(flag)) : Match.MAYBE;
    }

    @Override
    public boolean skipsTracking() {
        return XtTarget.skipsTracking(target);
    }
}
