package io.vxseal.lab;

import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** The link between the hosts. It can be captured, cut, and fed with frames of strangers. */
public final class Wire implements AutoCloseable {

    /** Docker's default port. */
    public static final int VXLAN_PORT = 4789;

    /** VXLAN on that port outside of ESP. */
    public static final String CLEARTEXT_VXLAN = "udp port " + VXLAN_PORT;

    public static final String ESP = "ip proto 50";

    /** Returns {@link #CLEARTEXT_VXLAN} of one network: its VNI is in the upper three bytes of the VXLAN header's second word. */
    public static String cleartextVxlan(int vni) {
        return cleartextVxlan(VXLAN_PORT, vni);
    }

    /** Returns the same for another port. */
    public static String cleartextVxlan(int port, int vni) {
        return "udp port %d and udp[12:4] & 0xffffff00 = 0x%x".formatted(port, vni << 8);
    }

    /** Bridge port states of linux/if_bridge.h. */
    private static final String BR_STATE_DISABLED = "0";
    private static final String BR_STATE_FORWARDING = "3";

    private final Path folder;
    private final List<Capture> captures = new CopyOnWriteArrayList<>();

    Wire(Path folder) {
        this.folder = folder;
    }

    /** Starts a capture into a file of the laboratory. */
    public Capture capture(String name) {
        return capture(folder.resolve(name + ".pcap"));
    }

    public Capture capture(Path file) {
        Capture capture = Capture.start(file, folder.resolve(file.getFileName() + ".log"));
        captures.add(capture);
        return capture;
    }

    List<Capture> captures() {
        return captures;
    }

    /** Cuts a guest off: no frame reaches or leaves it, but its link stays up. */
    public void cut(Guest guest) {
        state(guest, BR_STATE_DISABLED);
    }

    public void mend(Guest guest) {
        state(guest, BR_STATE_FORWARDING);
    }

    private static void state(Guest guest, String state) {
        Network.inside("bridge", "link", "set", "dev", Network.tap(guest.number()), "state", state);
    }

    /** Sends a complete Ethernet frame to the hosts, as a stranger on their network would. */
    public void inject(byte[] frame) {
        try (RawSocket socket = RawSocket.open(Network.NAMESPACE, Network.BRIDGE)) {
            socket.send(frame);
        }
    }

    /** Sends frames, one after the other, at the given rate until it is closed. */
    public Injection injecting(List<byte[]> frames, int perSecond) {
        return new Injection(List.copyOf(frames), perSecond);
    }

    @Override
    public void close() {
        captures.forEach(Capture::close);
    }
}
