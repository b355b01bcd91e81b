package io.vxseal.cluster;

import io.vxseal.swarm.SwarmIdentity;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.security.cert.CertificateException;
import java.util.Arrays;
import java.util.UUID;

/**
 * How a member proves who it is: TLS lets in any node of the swarm, but says nothing about which of them sent a
 * message, and the role must not be for the sender to claim. So each signs its member id and VTEP with its node key.
 */
final class Introduction {
    private Introduction() {}

    static Message.Hello make(SwarmIdentity identity, UUID member, InetAddress vtep, SignedRing.Mark ring) {
        byte[] signature = identity.sign(signed(identity.name().swarm(), member, vtep));
        return new Message.Hello(vtep, ring, identity.chain(), signature);
    }

    /**
     * Who the sender is.
     *
     * @throws RefusedException if the sender is not the holder of the certificate it shows
     */
    static SwarmIdentity.Signer check(SwarmIdentity identity, UUID sender, Message.Hello hello) throws RefusedException {
        try {
            if (hello.vtep().isAnyLocalAddress() || hello.vtep().isMulticastAddress()) {
                throw new RefusedException("introduction with VTEP " + hello.vtep().getHostAddress());
            }
            SwarmIdentity.Signer signer = identity.signer(hello.chain());
            byte[] octets = signed(identity.name().swarm(), sender, hello.vtep());
            if (!SwarmIdentity.verify(signer.key(), octets, hello.signature())) {
                throw new RefusedException("introduction that node %s did not sign".formatted(signer.name().node()));
            }
            return signer;
        } catch (CertificateException e) {
            throw new RefusedException("introduction with a bad " + e.getMessage());
        }
    }

    /** Whether a sender's greeting says nothing but what the one before has proved, so that there is nothing to check. */
    static boolean isRepeated(Message.Hello before, Message.Hello hello) {
        return hello.vtep().equals(before.vtep())
                && Arrays.equals(hello.signature(), before.signature())
                && hello.chain().equals(before.chain());
    }

    static byte[] signed(String swarm, UUID member, InetAddress vtep) {
        ByteArrayOutputStream octets = new ByteArrayOutputStream();
        try (DataOutputStream out = new DataOutputStream(octets)) {
            out.writeUTF("vxseal hello 1");
            out.writeUTF(swarm);
            out.writeLong(member.getMostSignificantBits());
            out.writeLong(member.getLeastSignificantBits());
            out.write(vtep.getAddress());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return octets.toByteArray();
    }
}
