package io.vxseal.kernel;

import java.util.List;
import java.util.Set;

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

    /** What makes the rules. */
    enum Backend {
        /** What the host's engine uses; nftables where iptables does not work. */
        AUTO,
        /** iptables or ip6tables, in the variant that the host's rules are in. */
        IPTABLES,
        /** A table of our own. */
        NFTABLES
    }

    /**
     * The firewall to make rules with. Looking for it changes no rule.
     *
     * @param backend other than {@code AUTO} it is never overridden
     * @param transport which IP carries the VXLAN datagrams
     * @param port their UDP destination port
     * @param mark firewall mark to set on those that leave
     * @param prefix words before each command, empty to run it here
     * @throws FirewallException if the backend's tool cannot be run; with {@code AUTO}, if neither backend works
     */
    static Firewall choose(Backend backend, Transport transport, int port, int mark, List<String> prefix)
            throws FirewallException {
        return ChosenFirewall.choose(backend, transport, port, mark, new Tools(prefix));
    }

    /**
     * Puts the rules in place; each stands once however often this is called, and none if it fails.
     *
     * @param vni network identifier, 24 bits
     * @throws FirewallException naming what the kernel lacks, if that is why, and the remedy
     */
    void protect(int vni) throws FirewallException;

    /** Takes the rules away, all copies; those that are gone already are no error. */
    void unprotect(int vni) throws FirewallException;

    /**
     * Sees to it that these VNIs and no others have rules: what others removed, changed or overtook is put right, and what
     * an earlier process left is taken away, whichever backend that one used. Rules that others made are left alone.
     * Where all is right this reads the rules and writes none.
     *
     * @return how many VNIs had rules missing, wrong or too many
     * @throws FirewallException if rules could not be put right; those that stand still do
     */
    int restore(Set<Integer> vnis) throws FirewallException;
}
