package io.vxseal.kernel.ruleset;

/**
 * The place where a packet is dropped or rejected.
 *
 * @param ufw whether ufw made the chains of the table
 * @param rule its number in the chain, from 1; 0 for the chain's policy
 */
public record Drop(Tool tool, boolean ufw, String family, String table, String chain, int rule) {
    private String what() {
        return rule == 0 ? "the policy of chain " + chain : "rule %d of chain %s".formatted(rule, chain);
    }

    /** Returns the table as a user of its tool names it. */
    private String where() {
        return switch (tool) {
            case NFT -> "table %s %s of nftables".formatted(family, table);
            case IPTABLES_NFT, IPTABLES_LEGACY -> "table %s of %s".formatted(table, command());
        };
    }

    private String command() {
        String command = family.equals("ip6") ? "ip6tables" : "iptables";
        return command + (tool == Tool.IPTABLES_LEGACY ? "-legacy" : "-nft");
    }

    @Override
    public String toString() {
        return what() + " in " + where();
    }

    /** Returns the command that has the firewall accept the packet. */
    public String remedy(Packet packet) {
        String protocol = switch (packet.protocol()) {
            case Packet.TCP -> "tcp";
            case Packet.UDP -> "udp";
            default -> "esp";
        };
        String port = packet.port().isPresent() ? Integer.toString(packet.port().getAsInt()) : "";
        String way = packet.incoming() ? "" : "out ";
        if (ufw) {
            return port.isEmpty()
                    ? "ufw allow %sto any proto %s from any".formatted(way, protocol)
                    : "ufw allow %s%s/%s".formatted(way, port, protocol);
        }
        if (tool == Tool.NFT && table.equals("firewalld") && packet.incoming()) {
            return "firewall-cmd --permanent --add-%s && firewall-cmd --reload"
                    .formatted(port.isEmpty() ? "protocol=" + protocol : "port=%s/%s".formatted(port, protocol));
        }
        if (tool == Tool.NFT) {
            return "nft insert rule %s %s %s %s accept".formatted(family, table, chain,
                    port.isEmpty() ? "meta l4proto " + protocol : "%s dport %s".formatted(protocol, port));
        }
        return "%s -t %s -I %s -p %s%s -j ACCEPT".formatted(command(), table, chain, protocol,
                port.isEmpty() ? "" : " --dport " + port);
    }
}
