package io.vxseal.kernel.ruleset;

import io.vxseal.kernel.libc.KernelException;

/** A rule of a chain. */
interface Rule {
    Step apply(Packet packet) throws KernelException;

    /** Returns whether it keeps packets from being tracked. */
    boolean skipsTracking();
}
