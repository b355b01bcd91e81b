package io.vxseal.kernel.firewall;

import io.vxseal.kernel.firewall.Firewall.Backend;
import io.vxseal.kernel.firewall.Firewall.Transport;
import io.vxseal.kernel.netns.Namespace;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A detector of the firewall in which to make the rules. It has open what the firewalls that it returns need. */
public final class FirewallDetector implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(FirewallDetector.class);

    private final Backend backend;
    private final CommandRunner runner;
    private final NftablesFirewall nftables;

    /**
     * Creates a detector.
     *
     * @param backend what makes the rules
     * @param namespace whose rules they are; must stay open as long as the firewalls are used
     * @param prefix words before each command; empty to run it as it is
     */
    public FirewallDetector(Backend backend, Namespace namespace, List<String> prefix) {
        this.backend = backend;
        this.runner = new CommandRunner(namespace, prefix);
        this.nftables = new NftablesFirewall(runner);
    }

    /**
     * Returns the firewall in which to make the rules. Changes no rule.
     *
     * <p>While iptables cannot list its rules, because another program made some in its tables with nft, that firewall
     * makes them in a table of its own, whatever the backend.
     *
     * @param transport which IP carries the VXLAN datagrams
     * @throws FirewallException if the backend's tool cannot be run; with {@code AUTO}, if neither backend works
     */
    public Firewall detect(Transport transport) throws FirewallException {
        boolean useNftables = switch (backend) {
            case IPTABLES -> false;
            case NFTABLES -> true;
            case AUTO -> nftables.hasEngineRules() && !IptablesVariant.hasEngineRules(runner);
        };
        List<Firewall> others = new ArrayList<>();
        Firewall chosen;
        if (useNftables) {
            chosen = nftables;
            others.addAll(iptables(""));
        } else {
            IptablesFirewall iptables = new IptablesFirewall(IptablesVariant.detect(transport, runner));
            chosen = iptables;
            others.add(nftables);
            others.addAll(iptables(iptables.command().name()));
        }
        log.info("using {} for firewall rules", chosen);
        return new FailoverFirewall(chosen, nftables, new EarlierRules(others));
    }

    /**
     * Returns the firewalls of all iptables variants but one.
     *
     * @param except name of the variant; a plain name, which is used where there are no variants, is one of them
     */
    private List<Firewall> iptables(String except) {
        List<Firewall> all = new ArrayList<>();
        for (Transport transport : Transport.values()) {
            for (IptablesCommand command : IptablesCommand.variants(transport, runner)) {
                if (except.isEmpty() || !command.name().startsWith(except)) {
                    all.add(new IptablesFirewall(command));
                }
            }
        }
        return all;
    }

    @Override
    public void close() {
        nftables.close();
    }
}
