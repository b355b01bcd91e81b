package io.vxseal.encryption;

import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.xfrm.SecurityAssociation;
import io.vxseal.kernel.xfrm.Xfrm;
import io.vxseal.kernel.xfrm.XfrmChange;
import io.vxseal.kernel.xfrm.XfrmRefusal;
import java.net.InetAddress;
import java.security.SecureRandom;
import java.util.List;

/** Check that the kernel has ESP and AES-GCM, by a state that is added and deleted again. */
public final class EspProbe {
    private EspProbe() {}

    /**
     * Adds a state and deletes it again.
     *
     * @throws KernelException naming what the kernel lacks, and the remedy
     */
    public static void check(Xfrm xfrm, InetAddress local) throws KernelException {
        SecurityAssociation probe = state(local);
        List<XfrmRefusal> failures =
                xfrm.apply(List.of(new XfrmChange.AddState(probe), new XfrmChange.DeleteState(probe.id())));
        if (!failures.isEmpty()) {
            throw failures.getFirst().reason();
        }
    }

    /** Returns a state like those of plans, from this node to itself and under a random key. */
    static SecurityAssociation state(InetAddress local) {
        byte[] octets = new byte[16];
        new SecureRandom().nextBytes(octets);
        return NodePlan.association(local, local, new Key(octets, 0), Spi.of(local, local, 0));
    }
}
