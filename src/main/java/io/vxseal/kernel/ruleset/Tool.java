package io.vxseal.kernel.ruleset;

/** The tool that rules were made with. */
enum Tool {
    NFT,
    IPTABLES_NFT,
    IPTABLES_LEGACY
}
