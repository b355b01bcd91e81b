package io.vxseal.kernel.firewall;

/** iptables cannot list the rules that stand, so what follows from them cannot be known. */
final class UnreadableRulesException extends FirewallException {
    UnreadableRulesException(String message) {
        super(message);
    }
}
