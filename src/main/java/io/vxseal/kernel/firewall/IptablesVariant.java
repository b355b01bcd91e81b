package io.vxseal.kernel.firewall;

import java.util.Optional;

/** Detection of the iptables variant that contains the host's rules. */
final class IptablesVariant {
    /**
     * Content of a variant.
     *
     * @param engine whether Docker's chains are in it
     * @param rules their number
     */
    private record Content(boolean engine, long rules) {
        boolean outweighs(Content other) {
            return engine == other.engine ? rules > other.rules : engine;
        }
    }

    private IptablesVariant() {}

    /**
     * Returns the variant that contains the host's rules: packets meet the rules of both, but an administrator, and the order
     * within a chain, only those of one. The variant with Docker's chains is chosen; if that does not decide, the legacy one
     * if it has more rules than the other or the other does not work; the plain command if there are no variants. Changes
     * nothing.
     */
    static IptablesCommand detect(Firewall.Transport transport, CommandRunner runner) throws FirewallException {
        IptablesCommand nft = IptablesCommand.nft(transport, runner);
        IptablesCommand legacy = IptablesCommand.legacy(transport, runner);
        Optional<Content> inNft = content(nft, IptablesCommand.nft(Firewall.Transport.IPV4, runner));
        Optional<Content> inLegacy = content(legacy, IptablesCommand.legacy(Firewall.Transport.IPV4, runner));
        if (inLegacy.isPresent() && (inNft.isEmpty() || inLegacy.get().outweighs(inNft.get()))) {
            return legacy;
        }
        if (inNft.isPresent()) {
            return nft;
        }
        IptablesCommand plain = IptablesCommand.plain(transport, runner);
        CommandRunner.Outcome version = plain.version();
        if (!version.done()) {
            throw version.failed("look for " + plain.name(), "install the iptables package");
        }
        return plain;
    }

    /** Returns whether Docker's engine makes its rules by iptables, in either variant. */
    static boolean hasEngineRules(CommandRunner runner) throws FirewallException {
        for (IptablesCommand variant : IptablesCommand.variants(Firewall.Transport.IPV4, runner)) {
            if (hasEngineRules(variant.save())) {
                return true;
            }
        }
        return false;
    }

    private static boolean hasEngineRules(CommandRunner.Outcome saved) {
        return saved.output().lines().anyMatch(line -> line.startsWith(":DOCKER "));
    }

    /**
     * Returns what a variant contains; empty if it cannot be run or the kernel does not support it.
     *
     * @param ofIpv4 the same variant for IPv4: the engine may have rules for IPv4 only, but uses one variant for both
     */
    private static Optional<Content> content(IptablesCommand command, IptablesCommand ofIpv4) throws FirewallException {
        CommandRunner.Outcome saved = command.save();
        if (saved.denied()) {
            throw saved.failed("look for the host's rules", CommandRunner.CAPABILITY);
        }
        if (!saved.done()) {
            return Optional.empty();
        }
        boolean engine = hasEngineRules(saved)
                || command.transport() == Firewall.Transport.IPV6 && hasEngineRules(ofIpv4.save());
        return Optional.of(new Content(
                engine, saved.output().lines().filter(line -> line.startsWith("-A ")).count()));
    }
}
