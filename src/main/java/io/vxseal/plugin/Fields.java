package io.vxseal.plugin;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.encryption.Key;
import io.vxseal.overlay.DriverException;
import io.vxseal.overlay.Network;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Parser of the fields of requests. Each refusal names the field, the value and the remedy. */
final class Fields {
    /** Name under which CreateNetwork has the user's options. */
    private static final String GENERIC = "com.docker.network.generic";

    private static final Pattern ID = Pattern.compile("[A-Za-z0-9][A-Za-z0-9_.-]{0,127}");
    private static final long MAX_TAG = 0xffff_ffffL;

    private Fields() {}

    /** Reads an id. It becomes part of names and paths, so it may contain only what these allow. */
    static String id(String field, @Nullable String value) throws DriverException {
        if (value == null || !ID.matcher(value).matches()) {
            throw DriverException.invalid(
                    field, orEmpty(value), "want 1 to 128 letters, digits, dots, dashes or underscores");
        }
        return value;
    }

    static Cidr ipv4(String field, @Nullable String value) throws DriverException {
        Cidr cidr = cidr(field, value);
        if (!(cidr.address() instanceof Inet4Address)) {
            throw DriverException.invalid(field, value, "want IPv4");
        }
        return cidr;
    }

    static Optional<MacAddress> mac(String field, @Nullable String value) throws DriverException {
        if (value == null || value.isEmpty()) {
            return Optional.empty();
        }
        try {
            return Optional.of(MacAddress.parse(value));
        } catch (IllegalArgumentException wrong) {
            throw DriverException.invalid(field, value, wrong.getMessage());
        }
    }

    /** Reads a path, of which only the last part is of use: the plugin finds the folder elsewhere. */
    static String fileName(String field, @Nullable String value) throws DriverException {
        String path = orEmpty(value);
        String name = path.substring(path.lastIndexOf('/') + 1);
        if (name.isEmpty() || name.equals(".") || name.equals("..") || name.indexOf('\0') >= 0) {
            throw DriverException.invalid(field, path, "want the path of the container's network namespace");
        }
        return name;
    }

    static InetAddress address(String field, @Nullable String value) throws DriverException {
        try {
            return InetAddress.ofLiteral(orEmpty(value));
        } catch (IllegalArgumentException wrong) {
            throw DriverException.invalid(field, orEmpty(value), "want an IP address");
        }
    }

    static List<Network.Pool> pools(
            @Nullable List<Requests.IpamData> ipv4, @Nullable List<Requests.IpamData> ipv6) throws DriverException {
        if (ipv6 != null && !ipv6.isEmpty()) {
            throw DriverException.invalid(
                    "IPv6Data", ipv6.getFirst().pool(), "want a network without --ipv6: containers' addresses are IPv4");
        }
        List<Network.Pool> pools = new ArrayList<>();
        if (ipv4 != null) {
            for (Requests.IpamData data : ipv4) {
                Cidr pool = ipv4("Pool", data.pool());
                if (!pool.equals(pool.network())) {
                    throw DriverException.invalid("Pool", data.pool(), "want " + pool.network());
                }
                pools.add(new Network.Pool(pool, ipv4("Gateway", data.gateway())));
            }
        }
        return pools;
    }

    /** Reads the user's options as in AllocateNetwork. */
    static Map<String, String> options(@Nullable Map<String, Object> options) {
        Map<String, String> read = new HashMap<>();
        if (options != null) {
            options.forEach((name, value) -> read.put(name, value == null ? "" : String.valueOf(value)));
        }
        return read;
    }

    /** Reads the user's options as in CreateNetwork, where they are among the engine's own. */
    static Map<String, String> genericOptions(@Nullable Map<String, Object> options) throws DriverException {
        Object generic = options == null ? null : options.get(GENERIC);
        if (generic == null) {
            return Map.of();
        }
        if (!(generic instanceof Map<?, ?> map)) {
            throw DriverException.invalid("option " + GENERIC, generic, "want an object of options");
        }
        Map<String, Object> named = new HashMap<>();
        map.forEach((name, value) -> named.put(String.valueOf(name), value));
        return options(named);
    }

    static List<Key> keys(List<byte[]> octets, @Nullable List<Long> tags) throws DriverException {
        List<Long> given = tags == null ? List.of() : tags;
        if (octets.size() != given.size()) {
            throw DriverException.invalid("Tags", tags, "want one for each of the %d keys".formatted(octets.size()));
        }
        List<Key> keys = new ArrayList<>();
        for (int i = 0; i < octets.size(); i++) {
            keys.add(key("Keys[" + i + "]", octets.get(i), given.get(i)));
        }
        if (keys.stream().map(Key::tag).distinct().count() < keys.size()) {
            throw DriverException.invalid("Tags", tags, "want a different one for each key");
        }
        return keys;
    }

    /** Reads a key. A refusal never contains its octets. */
    static Key key(String field, byte @Nullable [] octets, @Nullable Long tag) throws DriverException {
        int unsigned = tag("Tag of " + field, tag);
        try {
            return new Key(octets == null ? new byte[0] : octets, unsigned);
        } catch (IllegalArgumentException wrong) {
            throw DriverException.invalid(field, "(secret)", wrong.getMessage());
        }
    }

    static int tag(String field, @Nullable Long tag) throws DriverException {
        if (tag == null || tag < 0 || tag > MAX_TAG) {
            throw DriverException.invalid(field, tag, "want a number of 32 bits");
        }
        return tag.intValue();
    }

    static String orEmpty(@Nullable String value) {
        return value == null ? "" : value;
    }

    private static Cidr cidr(String field, @Nullable String value) throws DriverException {
        try {
            return Cidr.parse(orEmpty(value));
        } catch (IllegalArgumentException wrong) {
            throw DriverException.invalid(field, orEmpty(value), "want address/prefix, as in 10.44.0.2/24");
        }
    }
}
