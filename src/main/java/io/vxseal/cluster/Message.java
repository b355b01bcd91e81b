package io.vxseal.cluster;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import java.net.InetAddress;
import java.security.cert.X509Certificate;
import java.util.List;

/** What members tell each other. Every one goes to a single member, so that they arrive in the order of sending. */
sealed interface Message {
    /**
     * Who the sender is; first thing it tells a member that is new to it.
     *
     * @param vtep its address for VXLAN
     * @param ring the newest ring it has
     * @param chain its certificate and those between it and the root
     * @param signature with that certificate's key, over {@link Introduction#signed}
     */
    record Hello(InetAddress vtep, SignedRing.Mark ring, List<X509Certificate> chain, byte[] signature)
            implements Message {

        /** The same sender's when it has another ring, which is nothing that it signs here. */
        Hello with(SignedRing.Mark now) {
            return new Hello(vtep, now, chain, signature);
        }
    }

    /**
     * All endpoints of the sender, in place of whatever it told before.
     *
     * @param revision of the sender's set; every change adds one
     */
    record Everything(long revision, List<Own> endpoints) implements Message {
        public Everything {
            endpoints = List.copyOf(endpoints);
        }
    }

    /** One more endpoint of the sender, or a new shape of one. */
    record Announce(long revision, Own endpoint) implements Message {}

    /** One endpoint of the sender less. */
    record Withdraw(long revision, Own.Id endpoint) implements Message {}

    /**
     * What the sender has, from time to time: who finds a difference asks, or sends a newer ring.
     *
     * @param rotate whether the sender, or one that it heard, wants this ring replaced before its time
     */
    record Beat(long revision, SignedRing.Mark ring, boolean rotate) implements Message {}

    /** Wants the receiver's {@link Hello} and {@link Everything}. */
    record Ask() implements Message {}

    /** The sender's node leaves the swarm: what it told of is no more. One that is silent only may yet come back. */
    record Goodbye() implements Message {}

    /**
     * The sender's plugin is stopped in good order, to be replaced perhaps, and what its networks have in the kernel stays:
     * what it told of holds for longer than that of one which merely fell silent.
     */
    record Away() implements Message {}

    /** Answers {@link Goodbye} and {@link Away}, so that the sender of those may leave the group. */
    record Heard() implements Message {}

    /**
     * The sender does not know any more which endpoints it has, and wants what its node told the receiver. Comes in place
     * of {@link Everything}, which would end what it asks for.
     */
    record Recall() implements Message {}

    /** What the receiver's node told the sender before. */
    record Recalled(List<Own> endpoints) implements Message {
        public Recalled {
            endpoints = List.copyOf(endpoints);
        }
    }

    /** A signed ring, not yet verified. */
    record Ring(byte[] octets) implements Message {}

    /**
     * An endpoint as its own node tells of it: a {@link io.vxseal.peers.Peer} but for the VTEP, which is the sender's
     * and not its to choose per endpoint.
     */
    record Own(Id id, Cidr address, MacAddress mac) {
        /**
         * What an endpoint is known by.
         *
         * @param network the network's id
         * @param endpoint the endpoint's id
         */
        record Id(String network, String endpoint) {}
    }
}
