package io.vxseal.check;

/** Commands that have a host's own firewall accept what arrives. Those of the networks in between are not known. */
public final class OpenPort {
    private OpenPort() {}

    /** Returns the command for ESP. */
    public static String esp() {
        return "iptables -I INPUT -p esp -j ACCEPT";
    }

    /** Returns the command for a UDP port. */
    public static String udp(int port) {
        return "iptables -I INPUT -p udp --dport %d -j ACCEPT".formatted(port);
    }

    /** Returns the command for datagrams to a UDP port that were decrypted; those in clear stay as they are. */
    public static String decryptedUdp(int port) {
        return "iptables -I INPUT -p udp --dport %d -m policy --dir in --pol ipsec -j ACCEPT".formatted(port);
    }

    /** Returns the command for a TCP port. */
    public static String tcp(int port) {
        return "iptables -I INPUT -p tcp --dport %d -j ACCEPT".formatted(port);
    }
}
