package io.vxseal.overlay;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Options of {@code docker network create -o} that the driver knows. It ignores all others.
 *
 * @param encrypted whether the network's datagrams are sealed
 * @param mtu of the network underneath, 0 for {@value #DEFAULT_MTU}
 * @param vnis one per subnet; empty if the driver chooses
 */
public record NetworkOptions(boolean encrypted, int mtu, List<Integer> vnis) {
    /** Option of an encrypted network, as with the built-in driver. */
    public static final String ENCRYPTED = "encrypted";

    /** MTU of the network underneath, in octets. */
    public static final String MTU = "com.docker.network.driver.mtu";

    /** VXLAN network identifiers, one per subnet, separated by commas. */
    public static final String VXLANID_LIST = "com.docker.network.driver.overlay.vxlanid_list";

    /** Highest VNI: 24 bits (RFC 7348, section 5). */
    public static final int MAX_VNI = (1 << 24) - 1;

    static final int DEFAULT_MTU = 1500;

    /** Outer Ethernet 14, IPv4 20, UDP 8 and VXLAN 8 octets (moby, {@code vxlanEncap}). */
    private static final int VXLAN_ENCAP = 50;

    /** SPI 4, sequence number 4, IV 8, pad length 1, next header 1 and ICV 8 octets (moby, {@code pktExpansion}). */
    private static final int PKT_EXPANSION = 26;

    /** Minimum MTU of an IPv4 link (RFC 791), which the kernel enforces. */
    private static final int MIN_LINK_MTU = 68;

    private static final int MAX_MTU = 0xffff;

    /**
     * Reads the driver's options.
     *
     * @throws DriverException naming the option, its value and the remedy
     */
    public static NetworkOptions of(Map<String, String> options) throws DriverException {
        String value = options.get(ENCRYPTED);
        boolean encrypted = value != null;
        if (encrypted && !Set.of("", "true", "1").contains(value)) {
            throw DriverException.invalid(
                    "option " + ENCRYPTED, value, "give it without a value, or leave it out for a plain network");
        }
        NetworkOptions read =
                new NetworkOptions(encrypted, mtu(options.getOrDefault(MTU, "")), vnis(options.getOrDefault(VXLANID_LIST, "")));
        if (read.linkMtu() < MIN_LINK_MTU) {
            throw DriverException.invalid("option " + MTU, options.get(MTU), "too small to carry an IPv4 packet");
        }
        return read;
    }

    /**
     * Returns the MTU of a container's interface: what the network underneath leaves (moby, {@code maxMTU}), with encryption rounded
     * down to a multiple of four, to which ESP pads.
     */
    public int linkMtu() {
        int link = (mtu == 0 ? DEFAULT_MTU : mtu) - VXLAN_ENCAP;
        if (encrypted) {
            link -= PKT_EXPANSION;
            link -= link % 4;
        }
        return link;
    }

    /**
     * Returns the MTU of the network underneath that an interface's MTU needs, over IPv4.
     *
     * @param linkMtu as {@link #linkMtu()} returns it
     */
    static int underlayMtu(int linkMtu, boolean encrypted) {
        return linkMtu + VXLAN_ENCAP + (encrypted ? PKT_EXPANSION : 0);
    }

    /**
     * Returns the options of a network that is allocated for the first time, with the MTU of the network underneath if the operator gave
     * none and it is smaller than {@value #DEFAULT_MTU}. A network that has VNIs was allocated before, perhaps by an earlier version,
     * and its nodes have its MTU.
     *
     * @param underlay MTU of this node's link
     */
    static Map<String, String> withUnderlayMtu(Map<String, String> options, int underlay) {
        boolean given = !Set.of("", "0").contains(options.getOrDefault(MTU, "").strip());
        if (given || underlay >= DEFAULT_MTU || !options.getOrDefault(VXLANID_LIST, "").isEmpty()) {
            return options;
        }
        Map<String, String> all = new HashMap<>(options);
        all.put(MTU, String.valueOf(underlay));
        return all;
    }

    /** Returns a VNI list in the form of the option's value. */
    static String print(List<Integer> vnis) {
        return String.join(",", vnis.stream().map(String::valueOf).toList());
    }

    private static int mtu(String text) throws DriverException {
        if (text.isEmpty()) {
            return 0;
        }
        return number("option " + MTU, text, 0, MAX_MTU);
    }

    private static List<Integer> vnis(String text) throws DriverException {
        List<Integer> vnis = new ArrayList<>();
        if (!text.isEmpty()) {
            for (String vni : text.split(",", -1)) {
                vnis.add(number("option " + VXLANID_LIST, vni.strip(), 1, MAX_VNI));
            }
        }
        if (new HashSet<>(vnis).size() < vnis.size()) {
            throw DriverException.invalid("option " + VXLANID_LIST, text, "want a different VNI for each subnet");
        }
        return List.copyOf(vnis);
    }

    private static int number(String field, String text, int least, int most) throws DriverException {
        try {
            int number = Integer.parseInt(text);
            if (number >= least && number <= most) {
                return number;
            }
        } catch (NumberFormatException notOne) {
            // answered as a number out of range
        }
        throw DriverException.invalid(field, text, "want a number from %d to %d".formatted(least, most));
    }
}
