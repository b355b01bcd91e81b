package io.vxseal.plugin;

import com.fasterxml.jackson.databind.PropertyNamingStrategies;

/**
 * Translation of Java names to the protocol's, which are Go's: {@code networkId} is NetworkID, {@code ipv4Data} is IPv4Data. A name that
 * is a keyword of Java has an underscore after it, as in {@code interface_}.
 *
 * <p>Annotations would take a twentieth of the time of a start: the JVM generates a class for each kind of them at every start.
 */
final class ProtocolNames extends PropertyNamingStrategies.NamingBase {
    private static final long serialVersionUID = 1;

    @Override
    public String translate(String name) {
        String spelt = name.replace("_", "").replaceFirst("[iI]pv", "IPv").replaceFirst("Id$", "ID");
        return Character.toUpperCase(spelt.charAt(0)) + spelt.substring(1);
    }
}
