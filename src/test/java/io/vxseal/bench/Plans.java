package io.vxseal.bench;

import io.vxseal.encryption.NodePlan;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Prints the mebibytes of heap that the plans for a number of nodes hold: {@code Plans NODES}. */
public final class Plans {
    private Plans() {}

    public static void main(String[] words) throws InterruptedException {
        int nodes = Integer.parseInt(words[0]);
        NodePlan first = Programming.plan(0); // loads classes and tables that all plans share
        long before = held();
        List<NodePlan> plans = new ArrayList<>(nodes);
        for (int i = 0; i < nodes; i++) {
            plans.add(Programming.plan(i));
        }
        long after = held();
        System.out.printf(Locale.ROOT, "%.2f%n", plans.contains(first) ? (after - before) / (double) (1 << 20) : Double.NaN);
    }

    private static long held() throws InterruptedException {
        for (int i = 0; i < 3; i++) {
            System.gc();
            Thread.sleep(100);
        }
        return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
    }
}
