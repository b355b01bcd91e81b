package io.vxseal.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.kernel.Firewall.Transport;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Random;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

/** The program run by an interpreter of its own over packets built by RFC 791, RFC 8200 and RFC 7348. */
class VxlanMatchTest {
    private static final int MAX_VNI = 0xffffff;

    @Property
    void acceptsItsVniAndNoOther(
            @ForAll Transport transport,
            @ForAll @IntRange(max = MAX_VNI) int vni,
            @ForAll @IntRange(max = MAX_VNI) int other,
            @ForAll @IntRange(max = 10) int options,
            @ForAll long seed) {
        var program = VxlanMatch.program(transport, vni);
        assertThat(run(program, packet(transport, vni, options, seed))).isNotZero();
        if (other != vni) {
            assertThat(run(program, packet(transport, other, options, seed))).isZero();
        }
    }

    @Property
    void rejectsAPacketTooShortToSay(
            @ForAll Transport transport, @ForAll @IntRange(max = MAX_VNI) int vni, @ForAll @IntRange(max = 35) int length) {
        byte[] whole = packet(transport, vni, 0, 1);
        byte[] cut = new byte[length];
        System.arraycopy(whole, 0, cut, 0, length);
        assertThat(run(VxlanMatch.program(transport, vni), cut)).isZero();
    }

    @Example
    void isWrittenAsIptablesWantsIt() {
        assertThat(VxlanMatch.bytecode(Transport.IPV4, 4097))
                .isEqualTo("6,177 0 0 0,64 0 0 12,116 0 0 8,21 0 1 4097,6 0 0 4294967295,6 0 0 0");
        assertThat(VxlanMatch.bytecode(Transport.IPV6, 1))
                .isEqualTo("6,1 0 0 40,64 0 0 12,116 0 0 8,21 0 1 1,6 0 0 4294967295,6 0 0 0");
    }

    @Property
    void isKnownByItsText(@ForAll Transport transport, @ForAll @IntRange(max = MAX_VNI) int vni) {
        assertThat(VxlanMatch.vni(transport, VxlanMatch.bytecode(transport, vni))).hasValue(vni);
    }

    @Example
    void othersAreNotTakenForOne() {
        for (String other : List.of(
                "",
                "6,177 0 0 0,64 0 0 12,84 0 0 4294967040,21 0 1 1048832,6 0 0 4294967295,6 0 0 0",
                "6,177 0 0 0,64 0 0 12,116 0 0 8,21 0 1 4097,6 0 0 65535,6 0 0 0",
                "6,177 0 0 0,64 0 0 12,116 0 0 8,21 0 1 99999999999,6 0 0 4294967295,6 0 0 0")) {
            assertThat(VxlanMatch.vni(Transport.IPV4, other)).as(other).isEmpty();
        }
        assertThat(VxlanMatch.vni(Transport.IPV6, VxlanMatch.bytecode(Transport.IPV4, 1))).isEmpty();
    }

    /** A packet of random content but for its header length and VNI; {@code options} are words of IPv4 options. */
    private static byte[] packet(Transport transport, int vni, int options, long seed) {
        int header = transport == Transport.IPV4 ? 20 + 4 * options : 40;
        byte[] packet = new byte[header + 8 + 8 + 50];
        new Random(seed).nextBytes(packet);
        packet[0] = (byte) (transport == Transport.IPV4 ? 0x40 | header / 4 : 0x60);
        packet[header + 12] = (byte) (vni >> 16);
        packet[header + 13] = (byte) (vni >> 8);
        packet[header + 14] = (byte) vni;
        return packet;
    }

    /** The instructions used, after the kernel's networking/filter document; loads past the end end the program with 0. */
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
                case 0x40 -> {
                    if (x + i.operand() + 4 > packet.length) {
                        return 0;
                    }
                    a = ByteBuffer.wrap(packet).getInt(x + i.operand());
                }
                case 0x74 -> a >>>= i.operand();
                case 0x15 -> pc += a == i.operand() ? i.jumpTrue() : i.jumpFalse();
                case 0x06 -> {
                    return i.operand();
                }
                default -> throw new AssertionError("instruction not known: " + i);
            }
        }
    }
}
