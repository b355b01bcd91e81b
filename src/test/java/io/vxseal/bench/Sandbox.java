package io.vxseal.bench;

import io.vxseal.address.MacAddress;
import io.vxseal.kernel.OneByOne;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.route.RemoteEndpoint;
import io.vxseal.kernel.route.Route;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;

/**
 * Times the addition of remote endpoints to a network's sandbox, a VXLAN device: {@code Sandbox
 * batched|naive ENDPOINTS CYCLES WITNESS DEVICE}. The device exists in the namespace of this process.
 */
public final class Sandbox {
    private static final int ENDPOINTS_A_NODE = 10;
    private static final int FIRST_ADDRESS = 0x0a2c0100; // 10.44.1.0

    private Sandbox() {}

    public static void main(String[] words) throws Exception {
        int count = Integer.parseInt(words[1]);
        int cycles = Integer.parseInt(words[2]);
        var measurement = new Measurement(words[0], count, words[3]);
        String device = words[4];
        boolean naive = words[0].equals("naive");
        List<RemoteEndpoint> endpoints = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            InetAddress address = address(FIRST_ADDRESS + i);
            endpoints.add(new RemoteEndpoint(address, MacAddress.of(address), Programming.peer(i / ENDPOINTS_A_NODE)));
        }
        try (Namespace own = Namespace.own(); Route route = Route.in(own); OneByOne kernel = OneByOne.ofEntries()) {
            int index = route.links().find(device).orElseThrow().index();
            for (int cycle = 0; cycle < cycles; cycle++) {
                if (naive) {
                    measurement.time("sandbox", cycle, () -> {
                        for (RemoteEndpoint endpoint : endpoints) {
                            kernel.add(index, endpoint);
                        }
                    });
                } else {
                    measurement.time("sandbox", cycle, () -> route.neighbours().add(device, endpoints));
                }
                measurement.show("sandbox", cycle);
                route.neighbours().remove(device, endpoints);
            }
        }
    }

    private static InetAddress address(int number) {
        return InetAddress.ofLiteral("%d.%d.%d.%d".formatted(number >>> 24, number >>> 16 & 255, number >>> 8 & 255, number & 255));
    }
}
