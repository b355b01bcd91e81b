package io.vxseal.cluster.record;

import io.vxseal.cluster.refusal.Refusal;

/**
 * A claim that did not take effect.
 *
 * @param network its network; empty where the whole record is meant
 * @param endpoint its endpoint; empty where the whole record is meant
 * @param reason why
 */
public record RefusedClaim(String network, String endpoint, Reason reason) {

    /** Why a claim did not take effect. */
    public enum Reason {
        /** The VTEP is no unicast address, or of another IP version than the swarm's. */
        BAD_VTEP(Refusal.CLAIM_BAD_VTEP),
        /** Another live node has the VTEP. */
        VTEP_TAKEN(Refusal.CLAIM_VTEP_TAKEN),
        /** The address is outside of the network's subnets. */
        OUTSIDE_SUBNETS(Refusal.CLAIM_OUTSIDE_SUBNETS),
        /** The address is the gateway of a subnet, or its first or last address. */
        RESERVED_ADDRESS(Refusal.CLAIM_RESERVED_ADDRESS),
        /** The MAC address is a group's or all zeros. */
        BAD_MAC(Refusal.CLAIM_BAD_MAC),
        /** Another endpoint has the address. */
        ADDRESS_TAKEN(Refusal.CLAIM_ADDRESS_TAKEN),
        /** Another endpoint of the network has the MAC address. */
        MAC_TAKEN(Refusal.CLAIM_MAC_TAKEN),
        /** Another node has an endpoint with this id. */
        ENDPOINT_TAKEN(Refusal.CLAIM_ENDPOINT_TAKEN);

        private final Refusal refusal;

        Reason(Refusal refusal) {
            this.refusal = refusal;
        }

        /** Returns the reason as refusals are counted. */
        public Refusal refusal() {
            return refusal;
        }
    }

    /** Replaces missing fields by empty ones. */
    public RefusedClaim {
        network = network == null ? "" : network;
        endpoint = endpoint == null ? "" : endpoint;
        reason = reason == null ? Reason.ADDRESS_TAKEN : reason;
    }
}
