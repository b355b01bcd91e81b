package io.vxseal.kernel.firewall;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.kernel.firewall.Firewall.Transport;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

/** Tests of the program in an interpreter, with packets built by RFC 791, RFC 8200 and RFC 7348. */
class VxlanMatchTest {
    private static final int MAX_VNI = 0xffffff;

    @Property
    void matchesOnlyItsVni(
            @ForAll Transport transport,
            @ForAll @IntRange(max = MAX_VNI) int vni,
            @ForAll @IntRange(max = MAX_VNI) int other,
            @ForAll @IntRange(max = 10) int options,
            @ForAll boolean fragment,
            @ForAll long seed) {
        var program = VxlanMatch.program(transport, vni);
        assertThat(run(program, packet(transport, vni, options, fragment, seed))).isNotZero();
        if (other != vni) {
            assertThat(run(program, packet(transport, other, options, fragment, seed))).isZero();
        }
    }

    @Property
    void matchesPacketWithoutVni(
            @ForAll Transport transport, @ForAll @IntRange(max = MAX_VNI) int vni, @ForAll @IntRange(max = 15) int left) {
        byte[] whole = packet(transport, vni + 1 & MAX_VNI, 0, false, 1);
        int header = transport == Transport.IPV4 ? 20 : 40;
        assertThat(run(VxlanMatch.program(transport, vni), Arrays.copyOf(whole, header + left))).isNotZero();
        assertThat(run(VxlanMatch.program(transport, vni), Arrays.copyOf(whole, header + 16))).isZero();
    }

    /** The octets behind the headers are random. */
    @Property
    void matchesAnyOtherIpv6Header(
            @ForAll @IntRange(max = MAX_VNI) int vni,
            @ForAll @IntRange(max = 255) int next,
            @ForAll boolean behindAFragmentHeader,
            @ForAll long seed) {
        byte[] packet = packet(Transport.IPV6, vni + 1 & MAX_VNI, 0, behindAFragmentHeader, seed);
        packet[behindAFragmentHeader ? 40 : 6] = (byte) next;
        if (next != 17 && (behindAFragmentHeader || next != 44 || packet[40] != 17)) {
            assertThat(run(VxlanMatch.program(Transport.IPV6, vni), packet)).isNotZero();
        }
    }

    @Example
    void writesBytecodeAsIptablesPrintsIt() {
        assertThat(VxlanMatch.bytecode(Transport.IPV4, 4097)).isEqualTo(
                "9,177 0 0 0,128 0 0 0,20 0 0 16,61 0 3 0,64 0 0 12,116 0 0 8,21 0 1 4097,6 0 0 4294967295,6 0 0 0");
        assertThat(VxlanMatch.earlierBytecode(Transport.IPV4, 4097))
                .isEqualTo("6,177 0 0 0,64 0 0 12,116 0 0 8,21 0 1 4097,6 0 0 4294967295,6 0 0 0");
        assertThat(VxlanMatch.earlierBytecode(Transport.IPV6, 1))
                .isEqualTo("6,1 0 0 40,64 0 0 12,116 0 0 8,21 0 1 1,6 0 0 4294967295,6 0 0 0");
    }

    @Property
    void recognizesItsBytecode(@ForAll Transport transport, @ForAll @IntRange(max = MAX_VNI) int vni) {
        assertThat(VxlanMatch.vni(transport, VxlanMatch.bytecode(transport, vni))).hasValue(vni);
        assertThat(VxlanMatch.vni(transport, VxlanMatch.earlierBytecode(transport, vni))).hasValue(vni);
    }

    @Example
    void doesNotRecognizeOtherBytecode() {
        for (String other : List.of(
                "",
                "6,177 0 0 0,64 0 0 12,84 0 0 4294967040,21 0 1 1048832,6 0 0 4294967295,6 0 0 0",
                "6,177 0 0 0,64 0 0 12,116 0 0 8,21 0 1 4097,6 0 0 65535,6 0 0 0",
                "6,177 0 0 0,64 0 0 12,116 0 0 8,21 0 1 99999999999,6 0 0 4294967295,6 0 0 0")) {
            assertThat(VxlanMatch.vni(Transport.IPV4, other)).as(other).isEmpty();
        }
        assertThat(VxlanMatch.vni(Transport.IPV6, VxlanMatch.bytecode(Transport.IPV4, 1))).isEmpty();
    }

    /**
     * Returns a packet of random content, except for its header length, next header and VNI.
     *
     * @param options words of IPv4 options
     * @param fragment with a fragment header, over IPv6
     */
    private static byte[] packet(Transport transport, int vni, int options, boolean fragment, long seed) {
        boolean behindAFragmentHeader = fragment && transport == Transport.IPV6;
        int header = transport == Transport.IPV4 ? 20 + 4 * options : behindAFragmentHeader ? 48 : 40;
        byte[] packet = new byte[header + 8 + 8 + 50];
        new Random(seed).nextBytes(packet);
        packet[0] = (byte) (transport == Transport.IPV4 ? 0x40 | header / 4 : 0x60);
        if (transport == Transport.IPV6) {
            packet[6] = (byte) (behindAFragmentHeader ? 44 : 17);
            if (behindAFragmentHeader) {
                packet[40] = 17;
            }
        }
        packet[header + 12] = (byte) (vni >> 16);
        packet[header + 13] = (byte) (vni >> 8);
        packet[header + 14] = (byte) vni;
        return packet;
    }

    /**
     * Runs a program of the instructions used here (the kernel's networking/filter document). A load past the packet's end
     * ends it with 0.
     */
    private static int run(VxlanMatch.Instruction[] program, byte[] packet) {
        int a = 0;
        int x = 0;
        for (int pc = 0; ; pc++) {
            var i = program[pc];
            switch (i.code()) {
                case 0xb1 -> {
                    if (i.operand() >= packet.length) {
                        return 0;
                    }
                    x = 4 * (packet[i.operand()] & 0xf);
                }
                case 0x01 -> x = i.operand();
                case 0x30 -> {
                    if (i.operand() >= packet.length) {
                        return 0;
                    }
                    a = packet[i.operand()] & 0xff;
                }
                case 0x40 -> {
                    if (x + i.operand() + 4 > packet.length) {
                        return 0;
                    }
                    a = ByteBuffer.wrap(packet).getInt(x + i.operand());
                }
                case 0x80 -> a = packet.length;
                case 0x14 -> a -= i.operand();
                case 0x74 -> a >>>= i.operand();
                case 0x05 -> pc += i.operand();
                case 0x15 -> pc += a == i.operand() ? i.jumpTrue() : i.jumpFalse();
                case 0x35 -> pc += Integer.compareUnsigned(a, i.operand()) >= 0 ? i.jumpTrue() : i.jumpFalse();
                case 0x3d -> pc += Integer.compareUnsigned(a, x) >= 0 ? i.jumpTrue() : i.jumpFalse();
                case 0x06 -> {
                    return i.operand();
                }
                default -> throw new AssertionError("instruction not known: " + i);
            }
        }
    }
}
