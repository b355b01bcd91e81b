package io.vxseal.kernel;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The firewall that makes the rules, and those in which an earlier choice may have left some. */
final class ChosenFirewall implements Firewall {
    private static final Logger log = LoggerFactory.getLogger(ChosenFirewall.class);

    private final Firewall chosen;
    private final AtomicReference<List<Firewall>> others;

    private ChosenFirewall(Firewall chosen, List<Firewall> others) {
        this.chosen = chosen;
        this.others = new AtomicReference<>(others);
    }

    static ChosenFirewall choose(Backend backend, Transport transport, int port, int mark, Tools tools)
            throws FirewallException {
        var nftables = new NftablesFirewall(port, mark, tools);
        Firewall chosen = switch (backend) {
            case IPTABLES -> IptablesFirewall.detect(transport, port, mark, tools);
            case NFTABLES -> nftables;
            case AUTO -> asTheEngine(nftables, transport, port, mark, tools);
        };
        var others = new ArrayList<Firewall>();
        if (chosen instanceof IptablesFirewall) {
            others.add(nftables);
        }
        for (Transport either : Transport.values()) {
            for (String command : IptablesFirewall.variants(either)) {
                // A plain command, taken where there were no variants to tell apart, is one of them.
                if (!(chosen instanceof IptablesFirewall own && command.startsWith(own.command()))) {
                    others.add(IptablesFirewall.using(either, port, mark, tools, command));
                }
            }
        }
        log.info("firewall rules are made by {}", chosen);
        return new ChosenFirewall(chosen, List.copyOf(others));
    }

    private static Firewall asTheEngine(
            NftablesFirewall nftables, Transport transport, int port, int mark, Tools tools) throws FirewallException {
        if (nftables.holdsTheEnginesRules() && !IptablesFirewall.holdsTheEnginesRules(tools)) {
            return nftables;
        }
        IptablesFirewall iptables = IptablesFirewall.detect(transport, port, mark, tools);
        try {
            iptables.standing();
            return iptables;
        } catch (FirewallException unreadable) {
            log.info("nftables it is, for iptables cannot say which rules stand: {}", unreadable.getMessage());
            return nftables;
        }
    }

    /** The firewall behind this one, for tests. */
    Firewall chosen() {
        return chosen;
    }

    @Override
    public void protect(int vni) throws FirewallException {
        chosen.protect(vni);
    }

    @Override
    public void unprotect(int vni) throws FirewallException {
        chosen.unprotect(vni);
    }

    /** Once all VNIs have their rules here, and once per process, the others are looked through. */
    @Override
    public int restore(Set<Integer> vnis) throws FirewallException {
        int touched = chosen.restore(vnis);
        for (Firewall other : others.getAndSet(List.of())) {
            try {
                int left = other.restore(Set.of());
                if (left > 0) {
                    log.info("took away the rules of {} VNIs that {} had from before", left, other);
                }
            } catch (FirewallException failure) {
                log.warn("rules from before may be left in {}: {}", other, failure.getMessage());
            }
        }
        return touched;
    }

    @Override
    public String toString() {
        return chosen.toString();
    }
}
