package io.vxseal.kernel.firewall;

import java.util.List;

/**
 * The commands of iptables or ip6tables in one variant.
 *
 * @param transport which IP the rules are for
 * @param name as in {@code "iptables-legacy"}
 */
record IptablesCommand(Firewall.Transport transport, CommandRunner runner, String name) {
    /** Seconds to wait for the lock that the iptables processes hold against each other. */
    private static final String LOCK_WAIT = "30";

    private static final String NFT = "-nft";
    private static final String LEGACY = "-legacy";

    /** Returns the command's name without a variant. */
    static String plainName(Firewall.Transport transport) {
        return switch (transport) {
            case IPV4 -> "iptables";
            case IPV6 -> "ip6tables";
        };
    }

    static IptablesCommand plain(Firewall.Transport transport, CommandRunner runner) {
        return new IptablesCommand(transport, runner, plainName(transport));
    }

    /** Returns the variant whose rules are in nf_tables. */
    static IptablesCommand nft(Firewall.Transport transport, CommandRunner runner) {
        return new IptablesCommand(transport, runner, plainName(transport) + NFT);
    }

    /** Returns the variant whose rules are in x_tables. */
    static IptablesCommand legacy(Firewall.Transport transport, CommandRunner runner) {
        return new IptablesCommand(transport, runner, plainName(transport) + LEGACY);
    }

    /** Returns the variants that a distribution may have. */
    static List<IptablesCommand> variants(Firewall.Transport transport, CommandRunner runner) {
        return List.of(nft(transport, runner), legacy(transport, runner));
    }

    boolean isLegacy() {
        return name.endsWith(LEGACY);
    }

    /** Lists all rules. Does not create a table that does not exist. */
    CommandRunner.Outcome save() throws FirewallException {
        return runner.run(List.of(name + "-save"));
    }

    /** Lists all rules as {@link #save} does, with what each has counted before it. */
    CommandRunner.Outcome saveWithCounters() throws FirewallException {
        return runner.run(List.of(name + "-save", "-c"));
    }

    /** Makes the changes of a script, one commit for each table. */
    CommandRunner.Outcome restore(String script) throws FirewallException {
        return runner.run(List.of(name + "-restore", "--noflush", "-w", LOCK_WAIT), script);
    }

    CommandRunner.Outcome version() throws FirewallException {
        return runner.run(List.of(name, "--version"));
    }
}
