package io.vxseal.plugin;

import io.vxseal.overlay.DriverException;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/** Something that is still being made while requests for it come in. */
record Pending<T>(CompletableFuture<T> future) {
    /** Waits for it and returns it, or throws the DriverException that its making failed with. */
    T get() throws DriverException {
        try {
            return future.join();
        } catch (CompletionException refused) {
            if (refused.getCause() instanceof DriverException why) {
                throw why;
            }
            throw refused;
        }
    }

    /** Returns it if it is made. */
    Optional<T> now() {
        return future.isDone() && !future.isCompletedExceptionally() ? Optional.of(future.join()) : Optional.empty();
    }
}
