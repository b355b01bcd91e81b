package io.vxseal.cluster;

import io.vxseal.swarm.UnlockKey;
import io.vxseal.swarm.UnlockKeySource;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** Requests for the key that unlocks this manager's private key, one at a time, each on a thread of its own. Used by one thread. */
final class UnlockKeyRequests {
    /** Between the beginnings of two requests for one state of the files: the engine logs an error for each that it cannot answer. */
    private static final Duration PAUSE = Duration.ofSeconds(10);

    private final UnlockKeySource source;
    private @Nullable CompletableFuture<UnlockKey> pending;
    private Optional<Long> last = Optional.empty();
    private Optional<String> failure = Optional.empty();

    UnlockKeyRequests(UnlockKeySource source) {
        this.source = source;
    }

    /** Requests the key, unless that was done a moment ago. */
    void request() {
        long now = System.nanoTime();
        if (pending != null || last.filter(at -> now - at < PAUSE.toNanos()).isPresent()) {
            return;
        }
        last = Optional.of(now);
        CompletableFuture<UnlockKey> answer = new CompletableFuture<>();
        pending = answer;
        Thread.ofVirtual().name("vxseal-unlock-key").start(() -> {
            try {
                answer.complete(source.get());
            } catch (Throwable e) {
                answer.completeExceptionally(e);
            }
        });
    }

    /** Returns the key that was requested, once, if it is there. The caller closes it. */
    Optional<UnlockKey> take() {
        if (pending == null || !pending.isDone()) {
            return Optional.empty();
        }
        CompletableFuture<UnlockKey> answered = pending;
        pending = null;
        if (answered.isCompletedExceptionally()) {
            failure = Optional.of("the engine does not give it: " + answered.exceptionNow().getMessage());
            return Optional.empty();
        }
        return Optional.of(answered.resultNow());
    }

    /** Notes why the key that was taken is of no use. */
    void failed(String reason) {
        failure = Optional.of(reason);
    }

    /** Notes that no key is needed any more. */
    void end() {
        failure = Optional.empty();
        last = Optional.empty();
        if (pending != null) {
            CompletableFuture<Void> _ = pending.thenAccept(UnlockKey::close);
            pending = null;
        }
    }

    /** Returns why the last request was of no use; empty if it was, or if there was none yet. */
    Optional<String> failure() {
        return failure;
    }
}
