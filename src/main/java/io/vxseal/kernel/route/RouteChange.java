package io.vxseal.kernel.route;

import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netlink.Batch;
import io.vxseal.kernel.netlink.NetlinkSocket;
import java.util.List;
import java.util.function.Consumer;

/**
 * One of several requests that are sent together.
 *
 * @param what the change and its object, for an exception
 */
record RouteChange(String what, Consumer<Batch> writer) {
    /**
     * Makes all changes in their order. A refused one does not prevent those after it.
     *
     * @param ignored errnos that are no failure
     * @throws KernelException for the first one refused; those for the others are suppressed in it
     */
    static void makeAll(NetlinkSocket socket, List<RouteChange> changes, Integer... ignored) throws KernelException {
        socket.requestAll(changes, (batch, change) -> change.writer.accept(batch), RouteChange::what, ignored);
    }
}
