package io.vxseal.kernel.xfrm;

import io.vxseal.kernel.libc.Errno;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netlink.Batch;
import io.vxseal.kernel.netlink.NetlinkAnswer;
import io.vxseal.kernel.netlink.NetlinkDescriptor;
import io.vxseal.kernel.netlink.NetlinkSocket;
import io.vxseal.kernel.netns.Namespace;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.ReentrantLock;

/**
 * IPsec states and policies of one network namespace, in the form that the built-in overlay driver gives them (moby,
 * {@code overlay/encryption.go}): ESP in transport mode, reqid {@link SecurityPolicy#REQID}, infinite lifetimes, and no replay
 * window unless one is asked for.
 *
 * <p><b>Ownership.</b> The reqid is the built-in driver's too, so it does not identify the maker of an object. Objects of this
 * plugin carry {@link SecurityPolicy#LABEL} in the selector's {@code user} field. The kernel stores that field with states and
 * policies and returns it in dumps. It is part of a policy's identity, so our policy for a node can coexist with the
 * built-in driver's: selector_cmp() in {@code net/xfrm/xfrm_policy.c} compares the selector word for word, and
 * xfrm_policy_insert_list(), xfrm_policy_bysel_ctx() and so XFRM_MSG_UPDPOLICY and XFRM_MSG_DELPOLICY use it. The field
 * does not affect which packets match: __xfrm4_selector_match() and __xfrm6_selector_match() look at addresses, ports,
 * protocol and interface only, for policies (xfrm_policy_match()) and for states (xfrm_state_look_at()). A state's identity is
 * its destination, SPI, protocol and mark without the selector, so there is only one state with an SPI and destination;
 * {@link #apply} therefore never deletes a state that is not known to be ours.
 *
 * <p>Safe for use by several threads.
 */
public final class Xfrm implements AutoCloseable {
    private final NetlinkSocket socket;

    /** Guards {@link #known}. Held over a whole change, grace period included. */
    private final ReentrantLock lock = new ReentrantLock();

    /** States known to be ours: added here, or listed with the label. */
    private final Set<SecurityAssociation.Id> known = new HashSet<>();

    private Xfrm(NetlinkSocket socket) {
        this.socket = socket;
    }

    /**
     * Opens a socket in the namespace, which may be closed afterwards.
     *
     * @throws KernelException EPROTONOSUPPORT if the kernel has no XFRM
     */
    public static Xfrm in(Namespace namespace) throws KernelException {
        return new Xfrm(NetlinkSocket.open(namespace, NetlinkDescriptor.NETLINK_XFRM));
    }

    /**
     * Makes the changes in their order. A refused one does not prevent those after it. Nothing is looked up first: the kernel
     * reports that a state exists already, and an equal one of ours is kept.
     *
     * @return what was refused, empty if the kernel is as the changes want it
     * @throws KernelException if the kernel could not be asked at all; any number of changes may have been made then
     */
    public List<XfrmRefusal> apply(List<XfrmChange> changes) throws KernelException {
        lock.lock();
        try {
            Application application = new Application();
            CompletableFuture<Void> gracePeriod = CompletableFuture.completedFuture(null);
            List<XfrmChange> batch = new ArrayList<>(Batch.MAX_MESSAGES);
            for (XfrmChange change : changes) {
                if (batch.size() == Batch.MAX_MESSAGES || change instanceof XfrmChange.Barrier) {
                    application.make(batch);
                    batch.clear();
                }
                switch (change) {
                    case XfrmChange.BeginGracePeriod _ -> gracePeriod = GracePeriod.begin();
                    case XfrmChange.EndGracePeriod _ -> gracePeriod.join();
                    default -> batch.add(change);
                }
            }
            application.make(batch);
            return List.copyOf(application.refusals);
        } finally {
            lock.unlock();
        }
    }

    /** State of one call of {@link #apply}. */
    private final class Application {
        final List<XfrmRefusal> refusals = new ArrayList<>();

        /** Our states by id, once one was in the way of another. Listed at most once. */
        private Optional<Map<SecurityAssociation.Id, SecurityAssociation>> installed = Optional.empty();

        /** Whether the kernel's list was read for {@link #known}. */
        private boolean listed;

        /** Makes the changes of one batch. */
        void make(List<XfrmChange> batch) throws KernelException {
            List<XfrmChange> ours = withoutForeignDeletions(batch);
            List<NetlinkAnswer> answers = socket.exchange(ours, Xfrm::write);
            for (int i = 0; i < answers.size(); i++) {
                settle(ours.get(i), answers.get(i));
            }
        }

        /**
         * Leaves out deletions of states that are not ours: the kernel finds a state to delete by destination and SPI, with
         * the label or without. States that the batch adds are ours from now on.
         */
        private List<XfrmChange> withoutForeignDeletions(List<XfrmChange> batch) throws KernelException {
            if (!listed && deletesUnknown(batch)) {
                listed = true;
                states();
            }
            List<XfrmChange> ours = new ArrayList<>(batch.size());
            for (XfrmChange change : batch) {
                if (change instanceof XfrmChange.AddState add) {
                    known.add(add.association().id());
                }
                if (!(change instanceof XfrmChange.DeleteState delete) || isOurs(delete.id())) {
                    ours.add(change);
                }
            }
            return ours;
        }

        /** Returns whether the batch deletes a state that is not known to be ours and that the batch does not add before. */
        private boolean deletesUnknown(List<XfrmChange> batch) {
            Set<SecurityAssociation.Id> added = new HashSet<>();
            for (XfrmChange change : batch) {
                if (change instanceof XfrmChange.AddState add) {
                    added.add(add.association().id());
                } else if (change instanceof XfrmChange.DeleteState delete
                        && !known.contains(delete.id()) && !added.contains(delete.id())) {
                    return true;
                }
            }
            return false;
        }

        /** Returns whether one of our states has that slot: two senders with one SPI share a state, listed under either. */
        private boolean isOurs(SecurityAssociation.Id id) {
            return known.contains(id) || known.stream().anyMatch(id::sharesSlotWith);
        }

        private void settle(XfrmChange change, NetlinkAnswer answer) throws KernelException {
            if (answer.done() || XfrmRefusal.isGone(change, answer)) {
                if (change instanceof XfrmChange.DeleteState delete) {
                    known.remove(delete.id());
                }
                return;
            }
            if (change instanceof XfrmChange.AddState add) {
                if (answer.errno() == Errno.EEXIST && installed.isEmpty()) {
                    installed = Optional.of(byId(states()));
                }
                if (!installed.orElse(Map.of()).containsKey(add.association().id())) {
                    known.remove(add.association().id());
                }
            }
            XfrmRefusal.of(change, answer, installed.orElse(Map.of())).ifPresent(refusals::add);
        }
    }

    private static Map<SecurityAssociation.Id, SecurityAssociation> byId(List<SecurityAssociation> states) {
        var byId = new HashMap<SecurityAssociation.Id, SecurityAssociation>();
        states.forEach(state -> byId.put(state.id(), state));
        return byId;
    }

    private static void write(Batch batch, XfrmChange change) {
        switch (change) {
            case XfrmChange.AddState(var association) -> XfrmStateMessages.writeAddition(batch, association);
            case XfrmChange.DeleteState(var id) -> XfrmStateMessages.writeDeletion(batch, id);
            case XfrmChange.PutPolicy(var policy) -> XfrmPolicyMessages.writePut(batch, policy);
            case XfrmChange.DeletePolicy(var id) -> XfrmPolicyMessages.writeDeletion(batch, id);
            case XfrmChange.Barrier _ -> throw new IllegalArgumentException("a barrier has no message");
        }
    }

    /**
     * Returns our states with their keys. A kernel that is locked down for confidentiality lists keys of zeros
     * (xfrm_redact() in {@code net/xfrm/xfrm_user.c}).
     */
    public List<SecurityAssociation> states() throws KernelException {
        return installedStates().stream().map(InstalledState::association).toList();
    }

    /** Returns our states, with the sequence numbers that they have reached. */
    public List<InstalledState> installedStates() throws KernelException {
        lock.lock();
        try {
            List<InstalledState> states =
                    socket.dump("list states", XfrmStateMessages::writeDump, XfrmStateMessages::read);
            known.clear();
            states.forEach(state -> known.add(state.association().id()));
            return states;
        } finally {
            lock.unlock();
        }
    }

    /** Returns our policies. */
    public List<SecurityPolicy> policies() throws KernelException {
        return listedPolicies().stream()
                .filter(SecurityPolicy.class::isInstance)
                .map(SecurityPolicy.class::cast)
                .toList();
    }

    /** Returns our policies, and those of other makers that may take packets that this host sends or receives itself. */
    public List<ListedPolicy> listedPolicies() throws KernelException {
        return socket.dump("list policies", XfrmPolicyMessages::writeDump, XfrmPolicyMessages::read);
    }

    @Override
    public void close() {
        socket.close();
    }
}
