package io.vxseal.lab;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import java.util.function.Function;

/** Parallel work on several guests: emulated guests are slow, and most of the time is spent there. */
public final class Together {

    private Together() {}

    public static <T> void each(Collection<T> items, Consumer<T> work) {
        map(items, item -> {
            work.accept(item);
            return item;
        });
    }

    /** Returns the results in the order of the items. Throws the first failure when all have ended. */
    public static <T, R> List<R> map(Collection<T> items, Function<T, R> work) {
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<R>> futures = new ArrayList<>();
            for (T item : items) {
                futures.add(threads.submit(() -> work.apply(item)));
            }
            List<R> results = new ArrayList<>();
            for (Future<R> future : futures) {
                results.add(future.get());
            }
            return results;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new LabException("interrupted while waiting", e);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof LabException known) {
                throw known;
            }
            throw new LabException(String.valueOf(e.getCause().getMessage()), e.getCause());
        }
    }
}
