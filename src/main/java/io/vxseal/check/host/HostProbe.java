package io.vxseal.check.host;

import io.vxseal.check.Finding;
import java.io.IOException;
import java.util.List;

/** A check of one thing on a host, which it does not change. */
public interface HostProbe {
    /**
     * Returns what was found.
     *
     * @throws IOException if the kernel refused what was tried or asked; its message has the reason
     */
    List<Finding> run() throws IOException;
}
