package io.vxseal.kernel.firewall;

import static io.vxseal.kernel.packet.IpProtocol.IPPROTO_FRAGMENT;
import static io.vxseal.kernel.packet.IpProtocol.IPPROTO_UDP;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The classic BPF program ({@code linux/filter.h}) with which xt_bpf matches packets that are or may be datagrams of one VNI.
 * xt_bpf runs it on the packet from the IP header on. Another match has found that the packet is UDP to the VXLAN port. The
 * VNI is the upper 24 bits of the second word behind the UDP header's 8 octets (RFC 7348).
 *
 * <p>The program also matches what it cannot classify: a packet too short for a VNI, and over IPv6 one whose UDP header
 * follows neither the IPv6 header nor a fragment header right behind that. No VXLAN device sends either. So the program never
 * reads another octet as the VNI than the kernel, which follows any chain of headers (ipv6_find_hdr()).
 */
final class VxlanMatch {
    // linux/bpf_common.h: class, size and mode of an instruction combined
    private static final int BPF_LDX_B_MSH = 0xb1;
    private static final int BPF_LDX_W_IMM = 0x01;
    private static final int BPF_LD_B_ABS = 0x30;
    private static final int BPF_LD_W_IND = 0x40;
    private static final int BPF_LD_W_LEN = 0x80;
    private static final int BPF_ALU_RSH_K = 0x74;
    private static final int BPF_ALU_SUB_K = 0x14;
    private static final int BPF_JMP_JA = 0x05;
    private static final int BPF_JMP_JEQ_K = 0x15;
    private static final int BPF_JMP_JGE_K = 0x35;
    private static final int BPF_JMP_JGE_X = 0x3d;
    private static final int BPF_RET_K = 0x06;

    /** Offset of the word with the VNI from the start of the UDP header, in octets. */
    private static final int VNI_WORD = 8 + 4;

    /** Octets of the UDP and VXLAN headers. */
    private static final int HEADERS = 8 + 8;

    private static final int IPV6_HEADER = 40;
    private static final int IPV6_FRAGMENT_HEADER = 8;

    /** Offset of the next header field in an IPv6 header. */
    private static final int IPV6_NEXT_HEADER = 6;

    /** The instruction that compares with the VNI, in text. */
    private static final Pattern COMPARISON = Pattern.compile("," + BPF_JMP_JEQ_K + " 0 1 (\\d{1,8}),");

    private VxlanMatch() {}

    /** One instruction (sock_filter): code, jump offsets if true and if false, operand. */
    record Instruction(int code, int jumpTrue, int jumpFalse, int operand) {
        @Override
        public String toString() {
            return code + " " + jumpTrue + " " + jumpFalse + " " + Integer.toUnsignedString(operand);
        }
    }

    /** Returns the program. Its result is not zero for datagrams of the VNI and for packets that cannot be classified. */
    static Instruction[] program(Firewall.Transport transport, int vni) {
        var program = new ArrayList<>(switch (transport) {
            case IPV4 -> List.of(new Instruction(BPF_LDX_B_MSH, 0, 0, 0));
            case IPV6 -> udpHeaderOverIpv6();
        });
        program.addAll(List.of(
                new Instruction(BPF_LD_W_LEN, 0, 0, 0),
                new Instruction(BPF_ALU_SUB_K, 0, 0, HEADERS),
                new Instruction(BPF_JMP_JGE_X, 0, 3, 0),
                new Instruction(BPF_LD_W_IND, 0, 0, VNI_WORD),
                new Instruction(BPF_ALU_RSH_K, 0, 0, 8),
                new Instruction(BPF_JMP_JEQ_K, 0, 1, vni),
                new Instruction(BPF_RET_K, 0, 0, -1),
                new Instruction(BPF_RET_K, 0, 0, 0)));
        return program.toArray(new Instruction[0]);
    }

    /** Loads the UDP header's offset into the index register, or jumps to the match, seven instructions after these. */
    private static List<Instruction> udpHeaderOverIpv6() {
        return List.of(
                new Instruction(BPF_LD_W_LEN, 0, 0, 0),
                new Instruction(BPF_JMP_JGE_K, 0, 14, IPV6_HEADER + HEADERS),
                new Instruction(BPF_LD_B_ABS, 0, 0, IPV6_NEXT_HEADER),
                new Instruction(BPF_JMP_JEQ_K, 3, 0, IPPROTO_UDP),
                new Instruction(BPF_JMP_JEQ_K, 0, 11, IPPROTO_FRAGMENT),
                new Instruction(BPF_LD_B_ABS, 0, 0, IPV6_HEADER),
                new Instruction(BPF_JMP_JEQ_K, 2, 9, IPPROTO_UDP),
                new Instruction(BPF_LDX_W_IMM, 0, 0, IPV6_HEADER),
                new Instruction(BPF_JMP_JA, 0, 0, 1),
                new Instruction(BPF_LDX_W_IMM, 0, 0, IPV6_HEADER + IPV6_FRAGMENT_HEADER));
    }

    /** Returns the program as {@code iptables -m bpf --bytecode} takes and prints it. */
    static String bytecode(Firewall.Transport transport, int vni) {
        return text(program(transport, vni));
    }

    /** Returns the program of version 0.1.0, which assumed that the UDP header follows the IPv6 header directly. */
    static String earlierBytecode(Firewall.Transport transport, int vni) {
        return text(
                switch (transport) {
                    case IPV4 -> new Instruction(BPF_LDX_B_MSH, 0, 0, 0);
                    case IPV6 -> new Instruction(BPF_LDX_W_IMM, 0, 0, IPV6_HEADER);
                },
                new Instruction(BPF_LD_W_IND, 0, 0, VNI_WORD),
                new Instruction(BPF_ALU_RSH_K, 0, 0, 8),
                new Instruction(BPF_JMP_JEQ_K, 0, 1, vni),
                new Instruction(BPF_RET_K, 0, 0, -1),
                new Instruction(BPF_RET_K, 0, 0, 0));
    }

    private static String text(Instruction... program) {
        var text = new StringBuilder().append(program.length);
        for (Instruction instruction : program) {
            text.append(',').append(instruction);
        }
        return text.toString();
    }

    /**
     * Returns the VNI that a program matches; empty if it is neither of this version nor of 0.1.0, such as the built-in
     * driver's.
     */
    static OptionalInt vni(Firewall.Transport transport, String bytecode) {
        Matcher comparison = COMPARISON.matcher(bytecode);
        if (comparison.find()) {
            int vni = Integer.parseInt(comparison.group(1));
            if (bytecode.equals(bytecode(transport, vni)) || bytecode.equals(earlierBytecode(transport, vni))) {
                return OptionalInt.of(vni);
            }
        }
        return OptionalInt.empty();
    }
}
