package io.vxseal.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.vxseal.kernel.balancer.BalancerChange;
import io.vxseal.kernel.balancer.BalancerTable;
import io.vxseal.kernel.netlink.NetlinkTransaction;
import io.vxseal.kernel.netns.Namespace;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Measures the rules for services in containers: made, changed by one task, changed in all services, compared, and removed. Prints the
 * milliseconds of each step for all containers, a value for each round, as JSON.
 * Arguments: containers, services, tasks of each.
 */
final class Balancing {
    private static final int ROUNDS = 5;
    private static final String TABLE = "vxseal-measure";

    private static final ObjectNode MILLIS = new ObjectMapper().createObjectNode();

    private Balancing() {}

    private interface Step {
        void run(BalancerTable table) throws Exception;
    }

    public static void main(String[] arguments) throws Exception {
        int containers = Integer.parseInt(arguments[0]);
        int services = Integer.parseInt(arguments[1]);
        int tasks = Integer.parseInt(arguments[2]);
        Path folder = Files.createTempDirectory("balancing");
        List<Namespace> namespaces = new ArrayList<>();
        List<BalancerTable> tables = new ArrayList<>();
        try {
            for (int n = 0; n < containers; n++) {
                namespaces.add(Namespace.create(folder.resolve("c" + n)));
                tables.add(BalancerTable.in(namespaces.getLast()));
            }
            var all = content(services, services, tasks);
            var one = content(services, 1, tasks - 1);
            var other = content(services, services, tasks - 1);
            for (int round = 0; round < ROUNDS; round++) {
                NetlinkTransaction creation = BalancerChange.creation(TABLE, all);
                time("create", tables, table -> table.apply(creation));
                time("change one service", tables, table -> table.apply(BalancerChange.change(TABLE, all, one)));
                time("change back", tables, table -> table.apply(BalancerChange.change(TABLE, one, all)));
                NetlinkTransaction change = BalancerChange.change(TABLE, all, other);
                time("change all services", tables, table -> table.apply(change));
                time("look for changes", tables, BalancerTable::generation);
                time("compare", tables, table -> {
                    if (!table.isIntact(TABLE, other)) {
                        throw new IllegalStateException("the table differs");
                    }
                });
                time("remove", tables, table -> table.remove(TABLE));
            }
        } finally {
            tables.forEach(BalancerTable::close);
            for (int n = 0; n < namespaces.size(); n++) {
                namespaces.get(n).close();
                Namespace.unpin(folder.resolve("c" + n));
            }
            Files.delete(folder);
        }
        System.out.println(MILLIS);
    }

    /** Returns services of which the first ones have another number of tasks than the others. */
    private static Map<InetAddress, List<InetAddress>> content(int services, int differing, int tasks) {
        Map<InetAddress, List<InetAddress>> content = new HashMap<>();
        for (int service = 0; service < services; service++) {
            InetAddress[] backends = new InetAddress[service < differing ? tasks : tasks + 1];
            Arrays.setAll(backends, task -> InetAddress.ofLiteral("10.9.%d.%d".formatted(1 + task, task)));
            content.put(InetAddress.ofLiteral("10.9.0." + service), List.of(backends));
        }
        return content;
    }

    private static void time(String what, List<BalancerTable> tables, Step step) throws Exception {
        long before = System.nanoTime();
        for (BalancerTable table : tables) {
            step.run(table);
        }
        MILLIS.withArray(what).add(Math.round((System.nanoTime() - before) / 1e5) / 10.0);
    }
}
