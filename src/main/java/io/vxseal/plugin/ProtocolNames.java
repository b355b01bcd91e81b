package io.vxseal.plugin;

import com.fasterxml.jackson.databind.PropertyNamingStrategies;

/**
 * From a name in Java to the protocol's, which are Go's: {@code networkId} is NetworkID, {@code ipv4Data} IPv4Data, and
 * what would be a word of Java's has an underscore behind it, {@code interface_}.
 *
 * <p>And not by annotations: for each kind of these the JVM makes a class whenever it starts, a twentieth of a start.
 */
final class ProtocolNames extends PropertyNamingStrategies.NamingBase {
    private static final long serialVersionUID = 1;

    @Override
    public String translate(String name) {
        String spelt = name.replace("_", "").replaceFirst("[iI]pv", "IPv").replaceFirst("Id$", "ID");
        return Character.toUpperCase(spelt.charAt(0)) + spelt.substring(1);
    }
}
