package io.vxseal.check;

import java.io.IOException;
import java.net.InetAddress;
import java.util.Optional;

/** What a host knows of the network underneath, by which its VXLAN datagrams leave and arrive. */
public interface Underlay {
    /** Returns the link by which packets leave for a node; empty without a route. */
    Optional<String> link(InetAddress node) throws IOException;

    /** Returns how many sealed packets of a node were opened by the states that are here now. */
    long opened(InetAddress node) throws IOException;
}
