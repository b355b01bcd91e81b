package io.vxseal.overlay;

import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.route.Route;
import java.nio.file.Path;

/**
 * The host as networks see it.
 *
 * @param namespace in which VXLAN's datagrams travel and where the engine looks for a container's link
 * @param route links of that namespace
 * @param pins folder in which networks' namespaces are mounted; they outlive this process there
 * @param port UDP port of VXLAN
 */
public record Host(Namespace namespace, Route route, Path pins, int port) {}
