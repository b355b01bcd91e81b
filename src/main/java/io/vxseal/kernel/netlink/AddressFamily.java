package io.vxseal.kernel.netlink;

import java.net.Inet4Address;
import java.net.InetAddress;

/** Address families ({@code linux/socket.h}). */
public final class AddressFamily {
    public static final int AF_UNSPEC = 0;
    public static final int AF_INET = 2;
    public static final int AF_BRIDGE = 7;
    public static final int AF_INET6 = 10;

    private AddressFamily() {}

    public static int of(InetAddress address) {
        return address instanceof Inet4Address ? AF_INET : AF_INET6;
    }
}
