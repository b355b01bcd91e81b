package io.vxseal.kernel.firewall;

/** A failure of iptables to list its rules: whether they are right is unknown. */
final class UnreadableRulesException extends FirewallException {
    UnreadableRulesException(String message) {
        super(message);
    }
}
