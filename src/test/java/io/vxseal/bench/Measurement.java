package io.vxseal.bench;

import java.io.IOException;
import java.util.Locale;

/**
 * A measurement: times pieces of work, prints each as a line of JSON, and lets a witness list the kernel's objects afterwards.
 *
 * @param mode the way of programming
 * @param objects number of peers or endpoints
 * @param witness shell command that lists the kernel's objects; the work's name is appended
 */
record Measurement(String mode, int objects, String witness) {

    /** Work to time. */
    @FunctionalInterface
    interface Work {
        void run() throws IOException;
    }

    /** Does the work and prints its time. */
    void time(String name, int cycle, Work work) throws IOException, InterruptedException {
        settle();
        long start = System.nanoTime();
        work.run();
        long end = System.nanoTime();
        System.out.printf(Locale.ROOT, "{\"work\":\"%s\",\"peers\":%d,\"mode\":\"%s\",\"call\":\"%s\",\"ms\":%.3f}%n",
                name, objects, mode, cycle == 0 ? "first" : "warm", (end - start) / 1e6);
    }

    /** Calls the witness in the first cycle, which the others repeat. */
    void show(String name, int cycle) throws IOException, InterruptedException {
        if (cycle > 0) {
            return;
        }
        int exit = new ProcessBuilder("sh", "-c", witness + " " + name).inheritIO().start().waitFor();
        if (exit != 0) {
            throw new IOException(witness + " " + name + ": exit " + exit);
        }
    }

    /** Waits for the kernel to finish deferred work, as freeing states and growing tables, which must not count with the next. */
    private void settle() throws InterruptedException {
        Thread.sleep(200 + objects / 5);
    }
}
