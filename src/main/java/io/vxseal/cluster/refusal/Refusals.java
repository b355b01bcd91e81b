package io.vxseal.cluster.refusal;

import io.vxseal.text.Line;
import java.net.InetAddress;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HexFormat;
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

    /**
     * Warnings in ten seconds of all addresses, and as many of all nodes: a flood from many addresses must neither fill the engine's log
     * nor hide what nodes with a certificate do, each of which is one source.
     */
    private static final int MAX_WARNINGS = 20;

    /** Groups of an IPv6 address that its network has; a host may have all addresses in it. */
    private static final int NETWORK_GROUPS = 4;

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
    private final Map<Boolean, Integer> warningsInPeriod = new HashMap<>();

    @Override
    @SuppressWarnings("EnumOrdinal") // An array with a place for each reason.
    public void refused(Refusal reason, String source, String detail) {
        counts.incrementAndGet(reason.ordinal());
        // Source and detail may hold what another node sent.
        if (isNews(network(source), System.nanoTime())) {
            log.warn("refused from {}: {}: {}", Line.of(source), reason.text(), Line.of(detail));
        } else if (log.isDebugEnabled()) {
            log.debug("refused from {}: {}: {}", Line.of(source), reason.text(), Line.of(detail));
        }
    }

    /** Returns the network of an IPv6 address, and any other source as it is. */
    private static String network(String source) {
        if (source.indexOf(':') < 0) {
            return source;
        }
        try {
            byte[] octets = InetAddress.ofLiteral(source).getAddress();
            return octets.length == Integer.BYTES ? source : ":" + HexFormat.of().formatHex(octets, 0, 2 * NETWORK_GROUPS);
        } catch (IllegalArgumentException other) {
            return source;
        }
    }

    private static boolean isAddress(String source) {
        return source.indexOf(':') >= 0 || source.indexOf('.') >= 0;
    }

    private boolean isNews(String source, long now) {
        synchronized (warned) {
            if (now - periodStart > QUIET_NANOS) {
                periodStart = now;
                warningsInPeriod.clear();
            }
            Long last = warned.get(source);
            if (last != null && now - last <= QUIET_NANOS || warningsInPeriod.getOrDefault(isAddress(source), 0) >= MAX_WARNINGS) {
                return false;
            }
            warningsInPeriod.merge(isAddress(source), 1, Integer::sum);
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
