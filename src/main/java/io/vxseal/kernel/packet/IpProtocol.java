package io.vxseal.kernel.packet;

/** Numbers of the protocols above IP ({@code linux/in.h}, {@code linux/in6.h}). */
public final class IpProtocol {
    public static final int IPPROTO_ICMP = 1;
    public static final int IPPROTO_TCP = 6;
    public static final int IPPROTO_UDP = 17;
    public static final int IPPROTO_FRAGMENT = 44;
    public static final int IPPROTO_ESP = 50;

    private IpProtocol() {}
}
