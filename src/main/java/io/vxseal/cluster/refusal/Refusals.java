package io.vxseal.cluster.refusal;

import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLongArray;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Counts refusals by reason, and logs them: a warning per source and ten seconds, the others at debug level. */
public final class Refusals implements RefusalListener {
    private static final Logger log = LoggerFactory.getLogger(Refusals.class);
    private static final long QUIET_NANOS = 10_000_000_000L;
    private static final int MAX_SOURCES = 256;

    /** Warnings in ten seconds from all sources: a flood from many addresses must not fill the engine's log. */
    private static final int MAX_WARNINGS = 20;

    private final AtomicLongArray counts = new AtomicLongArray(Refusal.values().length);

    /** When each source was last warned of. Guarded by itself. */
    private final Map<String, Long> warned = new LinkedHashMap<>() {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Long> eldest) {
            return size() > MAX_SOURCES;
        }
    };

    private long periodStart = System.nanoTime();
    private int warningsInPeriod;

    @Override
    @SuppressWarnings("EnumOrdinal") // An array with a place for each reason.
    public void refused(Refusal reason, String source, String detail) {
        counts.incrementAndGet(reason.ordinal());
        if (isNews(source, System.nanoTime())) {
            log.warn("refused from {}: {}: {}", source, reason.text(), detail);
        } else {
            log.debug("refused from {}: {}: {}", source, reason.text(), detail);
        }
    }

    private boolean isNews(String source, long now) {
        synchronized (warned) {
            if (now - periodStart > QUIET_NANOS) {
                periodStart = now;
                warningsInPeriod = 0;
            }
            Long last = warned.get(source);
            if (last != null && now - last <= QUIET_NANOS || warningsInPeriod >= MAX_WARNINGS) {
                return false;
            }
            warningsInPeriod++;
            warned.remove(source);
            warned.put(source, now);
            return true;
        }
    }

    /** Returns how often something was refused for this reason. */
    @SuppressWarnings("EnumOrdinal") // As above.
    public long count(Refusal reason) {
        return counts.get(reason.ordinal());
    }

    /** Returns how much was refused since the start, for any reason. */
    public long total() {
        return counts().values().stream().mapToLong(Long::longValue).sum();
    }

    /** Returns the reasons that occurred, with their counts. */
    public Map<Refusal, Long> counts() {
        Map<Refusal, Long> all = new EnumMap<>(Refusal.class);
        for (Refusal reason : Refusal.values()) {
            if (count(reason) > 0) {
                all.put(reason, count(reason));
            }
        }
        return all;
    }
}
