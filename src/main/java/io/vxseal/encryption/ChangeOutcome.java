package io.vxseal.encryption;

import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.xfrm.XfrmChange;
import io.vxseal.kernel.xfrm.XfrmRefusal;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;

/**
 * Result of a change.
 *
 * @param done the steps that the kernel accepted
 * @param whole whether it accepted all
 */
record ChangeOutcome(List<XfrmChange> done, boolean whole) {
    /**
     * Returns the result of steps of which some failed.
     *
     * @throws KernelException if one that failed is about no node, but about the policy that blocks
     */
    static ChangeOutcome of(List<XfrmChange> steps, List<XfrmRefusal> failed) throws KernelException {
        if (failed.isEmpty()) {
            return new ChangeOutcome(steps, true);
        }
        // By identity: a step may be made twice, and equal another.
        Set<XfrmChange> undone = Collections.newSetFromMap(new IdentityHashMap<>());
        for (XfrmRefusal failure : failed) {
            if (RemoteEnd.of(failure.change(), Set.of()).isEmpty()) {
                throw failure.reason();
            }
            undone.add(failure.change());
        }
        return new ChangeOutcome(steps.stream().filter(step -> !undone.contains(step)).toList(), false);
    }
}
