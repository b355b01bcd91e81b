package io.vxseal.kernel.firewall;

import io.vxseal.kernel.TestHost;

/** The firewall of a test's own namespace, whose commands need no other command before them to get there. */
public final class NamespaceFirewall {
    private NamespaceFirewall() {}

    /** Finds the firewall to make rules with, as {@link Firewall#choose} does. */
    public static Firewall choose(Firewall.Backend backend, Firewall.Transport transport, TestHost host) throws FirewallException {
        return ChosenFirewall.choose(backend, transport, CommandRunner.in(host.namespace()));
    }
}
