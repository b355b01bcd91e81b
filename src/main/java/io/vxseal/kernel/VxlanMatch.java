package io.vxseal.kernel;

import java.util.OptionalInt;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The classic BPF program (linux/filter.h) by which xt_bpf tells one VNI's datagrams. xt_bpf runs it on the packet from
 * the IP header on; the datagram is known to be UDP to the VXLAN port, so the VNI is where RFC 7348 puts it: the upper
 * 24 bits of the second word behind the UDP header's 8 octets.
 */
final class VxlanMatch {
    // linux/bpf_common.h, codes put together
    private static final int BPF_LDX_B_MSH = 0xb1;
    private static final int BPF_LDX_W_IMM = 0x01;
    private static final int BPF_LD_W_IND = 0x40;
    private static final int BPF_ALU_RSH_K = 0x74;
    private static final int BPF_JMP_JEQ_K = 0x15;
    private static final int BPF_RET_K = 0x06;

    /** Octets from the UDP header's start to the word with the VNI. */
    private static final int VNI_WORD = 8 + 4;

    /** An IPv6 header; the match is for packets without extension headers, which VXLAN devices send. */
    private static final int IPV6_HEADER = 40;

    /** The instruction that compares, in text, with a VNI of 24 bits. */
    private static final Pattern COMPARISON = Pattern.compile("," + BPF_JMP_JEQ_K + " 0 1 (\\d{1,8}),");

    private VxlanMatch() {}

    /** One instruction, sock_filter: code, jumps if true and false, operand. */
    record Instruction(int code, int jumpTrue, int jumpFalse, int operand) {
        @Override
        public String toString() {
            return code + " " + jumpTrue + " " + jumpFalse + " " + Integer.toUnsignedString(operand);
        }
    }

    /** The program, whose result is non-zero for datagrams of the VNI. */
    static Instruction[] program(Firewall.Transport transport, int vni) {
        return new Instruction[] {
            switch (transport) {
                case IPV4 -> new Instruction(BPF_LDX_B_MSH, 0, 0, 0);
                case IPV6 -> new Instruction(BPF_LDX_W_IMM, 0, 0, IPV6_HEADER);
            },
            new Instruction(BPF_LD_W_IND, 0, 0, VNI_WORD),
            new Instruction(BPF_ALU_RSH_K, 0, 0, 8),
            new Instruction(BPF_JMP_JEQ_K, 0, 1, vni),
            new Instruction(BPF_RET_K, 0, 0, -1),
            new Instruction(BPF_RET_K, 0, 0, 0)
        };
    }

    /** The program as {@code iptables -m bpf --bytecode} takes and prints it. */
    static String bytecode(Firewall.Transport transport, int vni) {
        Instruction[] program = program(transport, vni);
        var text = new StringBuilder().append(program.length);
        for (Instruction instruction : program) {
            text.append(',').append(instruction);
        }
        return text.toString();
    }

    /** The VNI that a program is for; empty if it is none of {@link #bytecode}, as the built-in driver's are not. */
    static OptionalInt vni(Firewall.Transport transport, String bytecode) {
        Matcher comparison = COMPARISON.matcher(bytecode);
        if (comparison.find()) {
            int vni = Integer.parseInt(comparison.group(1));
            if (bytecode.equals(bytecode(transport, vni))) {
                return OptionalInt.of(vni);
            }
        }
        return OptionalInt.empty();
    }
}
