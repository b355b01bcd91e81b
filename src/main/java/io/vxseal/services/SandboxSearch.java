package io.vxseal.services;

import io.vxseal.address.MacAddress;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.route.Link;
import io.vxseal.kernel.route.Route;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/** Search for containers' network namespaces by the MAC of a link in each, where Join's request for it is not known any more. */
public final class SandboxSearch {
    private SandboxSearch() {}

    /**
     * Returns names of files in a folder, by the MAC of a link in the namespace that is mounted on each.
     *
     * @param namespaces folder; without it there are none
     */
    public static Map<MacAddress, String> byMac(Path namespaces) throws IOException {
        Map<MacAddress, String> found = new HashMap<>();
        if (!Files.isDirectory(namespaces)) {
            return found;
        }
        List<Path> files;
        try (Stream<Path> listed = Files.list(namespaces)) {
            files = listed.toList();
        }
        for (Path file : files) {
            for (Link link : links(file)) {
                found.put(link.mac(), file.getFileName().toString());
            }
        }
        return found;
    }

    private static List<Link> links(Path file) throws KernelException {
        Optional<Namespace> opened = Namespace.open(file);
        if (opened.isEmpty()) {
            return List.of();
        }
        try (Namespace namespace = opened.get(); Route route = Route.in(namespace)) {
            return route.links().list();
        }
    }
}
