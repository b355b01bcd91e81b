package io.vxseal.kernel.firewall;

import java.util.List;

/**
 * The diagnosis of a failed nft command of {@link NftablesFirewall}: what the kernel lacks, and the remedy.
 *
 * @param runner of nft
 */
record NftablesDiagnosis(CommandRunner runner) {
    /** Has the kernel check a ruleset without committing it. */
    private static final List<String> CHECK = List.of("nft", "-c", "-f", "-");

    /** The table that is only checked. */
    private static final String SCRATCH = "inet vxseal-try";

    /**
     * A part of the kernel that the rules need.
     *
     * @param ruleset one that needs the part, with the table's name left open
     */
    private record Part(String ruleset, String remedy) {
        static Part rule(String hook, String rule, String remedy) {
            return new Part("table %s { chain try { type filter hook " + hook + " priority 0; " + rule + "; }; }", remedy);
        }
    }

    /** In an order in which each part needs those before it. */
    private static final List<Part> PARTS = List.of(
            new Part("table %s", "the kernel lacks nftables (CONFIG_NF_TABLES, _INET): modprobe nf_tables"),
            new Part(
                    "table %s { set segments { typeof udp dport . " + NftablesRules.VNI + "; elements = { 1 . 1 }; }; }",
                    "the kernel lacks nftables' sets: modprobe nf_tables_set, or use kernel 5.10 or later"),
            Part.rule("input", "accept", "the kernel lacks nftables' chains of type filter: use kernel 5.10 or later"),
            Part.rule(
                    "input",
                    "ipsec in reqid 1 return",
                    "the kernel's nftables lacks \"ipsec\" (CONFIG_NFT_XFRM): modprobe nft_xfrm"),
            Part.rule(
                    "output",
                    NftablesRules.OF_PROCESS + " drop",
                    "the kernel's nftables lacks \"meta skuid\": use kernel 5.10 or later"),
            Part.rule(
                    "input",
                    "frag frag-off 0 drop",
                    "the kernel's nftables lacks \"frag\": use kernel 5.10 or later"));

    /** Returns the remedy: nft's own message does not name the part of the kernel, so each is tried alone. */
    String remedy() throws FirewallException {
        for (Part part : PARTS) {
            if (!runner.run(CHECK, part.ruleset.formatted(SCRATCH)).done()) {
                return part.remedy + ", or set VXSEAL_FIREWALL=iptables";
            }
        }
        return "the kernel has each part that the rules need: does another program change this table?";
    }
}
