package io.vxseal.kernel.firewall;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/**
 * The diagnosis of a failed iptables command: what the kernel or the host lacks, and the remedy.
 *
 * @param command the command that failed
 */
record IptablesDiagnosis(IptablesCommand command) {
    /** A chain without a jump to it, for rules that are only tried. */
    private static final String SCRATCH = IptablesRules.CHAIN_PREFIX + "TRY";

    /** Missing extensions from which on the compatibility layer of nftables is the likely cause. */
    private static final int MANY = 3;

    /** A match that the rules need, by words for a rule of it alone, and the kernel module that provides it. */
    private record Extension(List<String> words, String name, String module) {}

    /** Returns the remedy for a failed command. */
    String remedy(CommandRunner.Outcome outcome) throws FirewallException {
        if (outcome.notFound()) {
            return "install the iptables package";
        }
        if (outcome.denied()) {
            return CommandRunner.CAPABILITY;
        }
        if (outcome.hasOutput("xtables lock") || outcome.hasOutput("lock file")) {
            return "another program holds /run/xtables.lock, or it cannot be opened";
        }
        if (outcome.hasOutput("incompatible")) {
            return "another program makes rules in that table with nft: set VXSEAL_FIREWALL=nftables";
        }
        return missing();
    }

    /**
     * Returns what the kernel lacks and how to get it. The command's own message may name no more than a line that needs
     * several extensions; so each is tried alone.
     */
    private String missing() throws FirewallException {
        String plain = IptablesCommand.plainName(command.transport());
        for (String table : IptablesRules.TABLES) {
            if (!attempt(table, List.of()).done()) {
                String module = command.isLegacy() ? plain.replace("tables", "table_") + table : "nf_tables";
                return "the kernel lacks %s' table %s: modprobe %s".formatted(plain, table, module);
            }
        }
        List<Extension> missing = new ArrayList<>();
        for (Extension extension : extensions()) {
            if (!attempt(IptablesRules.FILTER, extension.words).done()) {
                missing.add(extension);
            }
        }
        if (missing.isEmpty()) {
            return "the kernel has each part that the rules need: does another program change these tables?";
        }
        // Some versions have an expression of nftables for the udp match, and none for the others.
        if (missing.size() >= MANY && !command.isLegacy()) {
            return "the kernel lacks iptables' extensions to nftables: modprobe -a nft_compat xt_bpf xt_policy xt_owner,"
                    + " or set VXSEAL_FIREWALL=nftables";
        }
        return "the kernel lacks %s: modprobe %s%s, or set VXSEAL_FIREWALL=nftables".formatted(
                missing.stream().map(Extension::name).collect(Collectors.joining(" and ")),
                missing.size() > 1 ? "-a " : "",
                missing.stream().map(Extension::module).collect(Collectors.joining(" ")));
    }

    private List<Extension> extensions() {
        List<Extension> extensions = new ArrayList<>(List.of(
                new Extension(IptablesRules.ofVni(command.transport(), 0), "the bpf match", "xt_bpf"),
                new Extension(IptablesRules.sealed("in"), "the policy match", "xt_policy"),
                new Extension(IptablesRules.ofNoProcess(), "the owner match", "xt_owner"),
                new Extension(IptablesRules.toPort(1), "the udp match", "xt_tcpudp")));
        if (command.transport() == Firewall.Transport.IPV6) {
            extensions.add(new Extension(IptablesRules.firstFragment(), "the frag match", "ip6t_frag"));
        }
        return extensions;
    }

    /** Tries a rule in a chain that no packet meets, and removes it again. */
    private CommandRunner.Outcome attempt(String table, List<String> words) throws FirewallException {
        // Two commits: the legacy variant passes only the result of a commit to the kernel.
        return command.restore("*%1$s\n:%2$s - [0:0]\n-A %2$s %3$s\nCOMMIT\n*%1$s\n-F %2$s\n-X %2$s\nCOMMIT\n"
                .formatted(table, SCRATCH, String.join(" ", words)));
    }
}
