package io.vxseal.overlay;

import io.vxseal.kernel.firewall.FirewallException;
import io.vxseal.kernel.firewall.FrameMark;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.route.Link;
import io.vxseal.kernel.route.Route;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Evidence in a network's namespace of whether the network is encrypted: the alias of its VXLAN devices. Networks of version 0.1.0 have
 * no alias, but the frames of the encrypted ones are marked.
 */
enum EncryptionEvidence {
    ENCRYPTED,
    PLAIN,
    /** Version 0.1.0, not marked: plain, or on a kernel that could not mark. */
    NONE;

    private static final Logger log = LoggerFactory.getLogger(EncryptionEvidence.class);

    private static final String ENCRYPTED_ALIAS = "vxseal: encrypted";
    private static final String PLAIN_ALIAS = "vxseal: plain";

    /** Returns the alias of a network's VXLAN devices ({@code ip -d link} shows it). */
    static String alias(boolean encrypted) {
        return encrypted ? ENCRYPTED_ALIAS : PLAIN_ALIAS;
    }

    /**
     * Finds the evidence in a namespace.
     *
     * @param links all links of the namespace
     * @param id of the network
     */
    static EncryptionEvidence find(Namespace namespace, Route route, List<Link> links, String id) throws KernelException {
        boolean plain = false;
        for (Link link : links) {
            if (link.tunnel().isPresent()) {
                String alias = route.links().alias(link.name());
                if (alias.equals(ENCRYPTED_ALIAS)) {
                    return ENCRYPTED;
                }
                plain |= alias.equals(PLAIN_ALIAS);
            }
        }
        return isMarked(namespace, id) ? ENCRYPTED : plain ? PLAIN : NONE;
    }

    private static boolean isMarked(Namespace namespace, String id) {
        try {
            return FrameMark.isSet(namespace);
        } catch (FirewallException failure) {
            log.warn("cannot determine whether the frames of network {} are marked: {}", id, failure.getMessage());
            return false;
        }
    }
}
