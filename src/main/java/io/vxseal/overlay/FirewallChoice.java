package io.vxseal.overlay;

import io.vxseal.kernel.firewall.Firewall;
import java.io.IOException;

/** Chooser of the firewall that the host uses. */
public interface FirewallChoice {
    /**
     * Chooses a firewall.
     *
     * @param transport IP version of the VXLAN datagrams
     */
    Firewall choose(Firewall.Transport transport) throws IOException;
}
