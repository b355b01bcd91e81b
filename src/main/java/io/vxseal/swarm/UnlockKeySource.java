package io.vxseal.swarm;

import java.io.IOException;

/** Source of the key that unlocks this manager's private key: the engine, which has it in memory. */
public interface UnlockKeySource {
    /**
     * Returns the key in force. May take seconds. The caller closes the key.
     *
     * @throws IOException with the reason why there is none, which is no part of a key
     */
    UnlockKey get() throws IOException;
}
