package io.vxseal.kernel.xfrm;

import io.vxseal.kernel.libc.Errno;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netlink.NetlinkAnswer;
import java.net.Inet4Address;
import java.util.Collection;
import java.util.Map;
import java.util.Optional;

/** A change that the kernel refused, and the reason. */
public record XfrmRefusal(XfrmChange change, KernelException reason) {
    /**
     * Returns the refusal in an answer that is not success; empty if the kernel is as the change wants it all the same: an
     * object to delete is gone, or an equal state is installed.
     *
     * @param installed the plugin's states; may be empty unless a state to add was refused with EEXIST
     */
    static Optional<XfrmRefusal> of(
            XfrmChange change, NetlinkAnswer answer, Map<SecurityAssociation.Id, SecurityAssociation> installed) {
        if (isGone(change, answer)) {
            return Optional.empty();
        }
        return switch (change) {
            case XfrmChange.AddState(var wanted) when answer.errno() == Errno.EEXIST ->
                wanted.equals(installed.get(wanted.id()))
                        ? Optional.empty()
                        : Optional.of(new XfrmRefusal(change, occupied(wanted, installed.values())));
            case XfrmChange.AddState(var wanted) -> Optional.of(new XfrmRefusal(change, unsupported(wanted, answer)));
            case XfrmChange.DeleteState(var id) -> Optional.of(new XfrmRefusal(change, answer.failure("delete " + id)));
            case XfrmChange.PutPolicy(var policy) -> Optional.of(new XfrmRefusal(change, answer.failure("put " + policy)));
            case XfrmChange.DeletePolicy(var id) -> Optional.of(new XfrmRefusal(change, answer.failure("delete " + id)));
            case XfrmChange.Barrier _ -> Optional.empty();
        };
    }

    /** Returns whether the object to delete does not exist. */
    static boolean isGone(XfrmChange change, NetlinkAnswer answer) {
        return change instanceof XfrmChange.DeleteState && answer.errno() == Errno.ESRCH
                || change instanceof XfrmChange.DeletePolicy && answer.errno() == Errno.ENOENT;
    }

    /** Returns whether another state occupies the slot of one that was to be added: it has its destination and SPI. */
    public boolean isSlotTaken() {
        return change instanceof XfrmChange.AddState && reason.errno() == Errno.EEXIST;
    }

    private static KernelException occupied(SecurityAssociation wanted, Collection<SecurityAssociation> installed) {
        Optional<SecurityAssociation> occupant = installed.stream()
                .filter(state -> state.id().equals(wanted.id()))
                .findFirst()
                .or(() -> installed.stream().filter(state -> state.id().sharesSlotWith(wanted.id())).findFirst());
        String why;
        if (occupant.isEmpty()) {
            why = "a state of another maker has its destination and SPI";
        } else if (!occupant.get().id().equals(wanted.id())) {
            why = "the state of sender %s has its destination and SPI"
                    .formatted(occupant.get().id().source().getHostAddress());
        } else {
            why = "it is installed with another "
                    + (occupant.get().key().equals(wanted.key()) ? "replay window" : "key");
        }
        return new KernelException("add " + wanted, Errno.EEXIST, "EEXIST: " + why);
    }

    /** Returns the exception for a state that the kernel cannot make, with the modules that it lacks by the errno. */
    private static KernelException unsupported(SecurityAssociation wanted, NetlinkAnswer answer) {
        KernelException refused = answer.failure("add " + wanted);
        boolean v4 = wanted.id().destination() instanceof Inet4Address;
        String missing = switch (answer.errno()) {
            // xfrm_aead_get_byname() did not find it, or crypto_alloc_aead() a part of it.
            case Errno.ENOSYS, Errno.ENOENT ->
                "AES-GCM: modprobe -a gcm seqiv, or use a kernel built with CONFIG_CRYPTO_GCM and CONFIG_CRYPTO_SEQIV";
            // xfrm_get_type() did not find it.
            case Errno.EPROTONOSUPPORT -> "ESP: modprobe %s, or use a kernel built with CONFIG_%s"
                    .formatted(v4 ? "esp4" : "esp6", v4 ? "INET_ESP" : "INET6_ESP");
            default -> "";
        };
        return missing.isEmpty()
                ? refused
                : new KernelException(refused.getMessage(), answer.errno(), "the kernel lacks " + missing);
    }
}
