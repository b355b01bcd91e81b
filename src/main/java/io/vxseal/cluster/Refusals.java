package io.vxseal.cluster;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Counts what was refused, and logs it: all of it at debug level, as a warning once per source and while. */
final class Refusals {
    private static final Logger LOG = LoggerFactory.getLogger(Refusals.class);
    private static final long QUIET_NANOS = 10_000_000_000L;
    private static final int MOST_SOURCES = 256;

    private final LongAdder count = new LongAdder();
    /** Guarded by itself; forgets the oldest source, so that a flood from many costs log lines, not memory. */
    private final Map<String, Long> warned = new LinkedHashMap<>() {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Long> eldest) {
            return size() > MOST_SOURCES;
        }
    };

    /**
     * @param source a node's id or address
     * @param what was refused and why
     */
    void refuse(String source, String what) {
        count.increment();
        boolean warn;
        long now = System.nanoTime();
        synchronized (warned) {
            Long last = warned.get(source);
            warn = last == null || now - last > QUIET_NANOS;
            if (warn) {
                warned.remove(source);
                warned.put(source, now);
            }
        }
        if (warn) {
            LOG.warn("refused from {}: {}", source, what);
        } else {
            LOG.debug("refused from {}: {}", source, what);
        }
    }

    long count() {
        return count.sum();
    }
}
