package io.vxseal.kernel;

import java.util.List;

/**
 * The rules that an encrypted network's VNI has in the firewall. One marks what leaves, so that the policies catch it; the
 * others drop what comes in without having been sealed, and what would leave so whatever the reason. They stand before
 * the network's first link is up and go after its last.
 */
public interface Firewall {
    /** Which IP carries the VXLAN datagrams. */
    enum Transport {
        IPV4,
        IPV6
    }

    /**
     * The firewall that this host uses.
     *
     * @param transport which IP carries the VXLAN datagrams
     * @param port their UDP destination port
     * @param mark firewall mark to set on those that leave
     * @param prefix words before each command, empty to run it here
     * @throws FirewallException if no firewall tool can be run
     */
    static Firewall choose(Transport transport, int port, int mark, List<String> prefix) throws FirewallException {
        return IptablesFirewall.detect(transport, port, mark, prefix);
    }

    /**
     * Puts the rules in place; each stands once however often this is called, and none if it fails.
     *
     * @param vni network identifier, 24 bits
     */
    void protect(int vni) throws FirewallException;

    /** Takes the rules away, all copies; those that are gone already are no error. */
    void unprotect(int vni) throws FirewallException;
}
