package io.vxseal.swarm;

import java.util.Optional;

/** Role of a node in the swarm by its certificate: the subject's OU, given by the swarm's CA. */
public enum Role {
    /** May make and sign key rings. */
    MANAGER("swarm-manager"),
    /** Takes rings, makes none. */
    WORKER("swarm-worker");

    private final String unit;

    Role(String unit) {
        this.unit = unit;
    }

    static Optional<Role> of(String unit) {
        for (Role role : values()) {
            if (role.unit.equals(unit)) {
                return Optional.of(role);
            }
        }
        return Optional.empty();
    }
}
