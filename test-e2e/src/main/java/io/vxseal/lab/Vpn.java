package io.vxseal.lab;

import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.List;

/**
 * Another VPN on a host: an ESP state in transport mode, added by hand with its own reqid, from a peer that sends
 * arbitrary datagrams through it. The peer is a network namespace of another host, with an address of its own on the wire.
 */
public record Vpn(Guest end, Guest peersHost) implements AutoCloseable {

    public static final String PEER = "10.55.0.66";
    public static final int REQID = 77;

    private static final String SELECTOR = "src " + PEER + " dst %s";
    private static final String STATE = SELECTOR + " proto esp spi 0x00004d4d";

    /** Creates the peer, and the state at both ends. */
    public static Vpn between(Guest end, Guest peersHost) {
        Vpn vpn = new Vpn(end, peersHost);
        byte[] octets = new byte[20];
        new SecureRandom().nextBytes(octets);
        String state = "ip xfrm state add " + STATE.formatted(end.address())
                + " reqid %d mode transport aead 'rfc4106(gcm(aes))' 0x%s 128".formatted(REQID, HexFormat.of().formatHex(octets));
        end.sh(state);
        peersHost.sh("""
                set -e
                ip netns add peer
                ip link add link eth0 name peer0 netns peer type macvlan mode bridge
                ip -n peer address add %s/24 dev peer0
                ip -n peer link set peer0 up
                ip netns exec peer %s
                ip -n peer xfrm policy add %s dir out tmpl proto esp reqid %d mode transport
                """.formatted(PEER, state, SELECTOR.formatted(end.address()), REQID));
        return vpn;
    }

    /** Sends UDP datagrams through it. */
    public String send(int port, List<byte[]> datagrams) {
        return peersHost.sh("ip netns exec peer " + LocalProcess.command(end, port, List.of(0), datagrams));
    }

    @Override
    public void close() {
        peersHost.sh("ip netns delete peer");
        end.sh("ip xfrm state delete " + STATE.formatted(end.address()));
    }
}
