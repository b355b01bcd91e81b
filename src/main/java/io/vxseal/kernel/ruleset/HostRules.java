package io.vxseal.kernel.ruleset;

import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netns.Namespace;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The firewall rules of a network namespace, of nftables and of both variants of iptables, as the kernel lists them. Reading changes
 * nothing and runs no tool.
 *
 * <p>A packet is said to be dropped only if it is whatever the things are that are not known of it, such as its source address. A rule
 * whose condition is not understood here may match or not.
 */
public final class HostRules implements AutoCloseable {
    private final NftTables nft;
    private final List<Table> legacy;

    private HostRules(NftTables nft, List<Table> legacy) {
        this.nft = nft;
        this.legacy = legacy;
    }

    /** Reads the rules. The namespace may be closed afterwards. */
    public static HostRules read(Namespace namespace) throws KernelException {
        NftTables nft = NftTables.read(namespace);
        try {
            return new HostRules(nft, LegacyTables.read(namespace));
        } catch (KernelException failure) {
            nft.close();
            throw failure;
        }
    }

    /** Returns where a packet is certainly dropped; empty if it may pass. */
    public Optional<Drop> drop(Packet packet) throws KernelException {
        List<Table> tables = Stream.concat(nft.tables().stream(), legacy.stream()).filter(table -> table.concerns(packet)).toList();
        Packet tried = tables.stream().anyMatch(Table::skipsTracking) ? packet.maybeUntracked() : packet;
        for (Table table : tables) {
            Optional<Drop> drop = table.drop(tried);
            if (drop.isPresent()) {
                return drop;
            }
        }
        return Optional.empty();
    }

    /** Returns whether both variants of iptables have rules. */
    public boolean hasBothVariants() {
        return legacy.stream().anyMatch(HostRules::hasRules)
                && nft.tables().stream().filter(table -> table.tool() == Tool.IPTABLES_NFT).anyMatch(HostRules::hasRules);
    }

    private static boolean hasRules(Table table) {
        return table.rules() > 0;
    }

    @Override
    public void close() {
        nft.close();
    }
}
