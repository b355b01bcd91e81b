package io.vxseal.cluster.link;

/** Token bucket that may run into debt: what was taken too early is waited for afterwards. Not thread-safe. */
public final class TokenBucket {
    private static final double NANOS = 1e9;

    private final double perSecond;
    private final double burst;
    private double tokens;
    private long filledAt;

    /**
     * Makes a full bucket.
     *
     * @param perSecond tokens that are added
     * @param burst most tokens that it holds
     * @param now nanoseconds of a clock that nobody sets, as in all calls
     */
    public TokenBucket(double perSecond, double burst, long now) {
        this.perSecond = perSecond;
        this.burst = burst;
        this.tokens = burst;
        this.filledAt = now;
    }

    /** Takes a token if there is one. */
    public boolean tryTake(long now) {
        fill(now);
        if (tokens < 1) {
            return false;
        }
        tokens--;
        return true;
    }

    /** Takes tokens whether they are there or not. */
    public void take(double amount, long now) {
        fill(now);
        tokens -= amount;
    }

    /** Returns the nanoseconds until the debt is paid; 0 if there is none. */
    public long nanosInDebt(long now) {
        fill(now);
        return tokens >= 0 ? 0 : (long) Math.ceil(-tokens / perSecond * NANOS);
    }

    /** Returns whether the bucket is full, so that it holds no more than a new one would. */
    public boolean isFull(long now) {
        fill(now);
        return tokens >= burst;
    }

    private void fill(long now) {
        tokens = Math.min(burst, tokens + Math.max(0, now - filledAt) / NANOS * perSecond);
        filledAt = now;
    }
}
