package io.vxseal.kernel.xfrm;

/**
 * Packets that a state has sealed or opened since it was added ({@code linux/xfrm.h}, xfrm_lifetime_cur).
 *
 * @param bytes without the ESP header and trailer
 */
public record StateUsage(long bytes, long packets) {
    public static final StateUsage NONE = new StateUsage(0, 0);
}
