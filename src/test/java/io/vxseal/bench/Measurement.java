package io.vxseal.bench;

import java.io.IOException;
import java.util.Locale;

/**
 * Times pieces of work, prints each as a line of JSON, and shows what the kernel holds afterwards to a witness.
 *
 * @param mode how the work is done
 * @param objects how many peers or endpoints there are
 * @param witness a shell command that lists what the kernel holds; it gets the work's name behind it
 */
record Measurement(String mode, int objects, String witness) {

    /** Something to be timed. */
    @FunctionalInterface
    interface Work {
        void run() throws IOException;
    }

    /** Does the work, and prints how long it took. */
    void time(String name, int cycle, Work work) throws IOException, InterruptedException {
        settle();
        long start = System.nanoTime();
        work.run();
        long end = System.nanoTime();
        System.out.printf(Locale.ROOT, "{\"work\":\"%s\",\"peers\":%d,\"mode\":\"%s\",\"call\":\"%s\",\"ms\":%.3f}%n",
                name, objects, mode, cycle == 0 ? "first" : "warm", (end - start) / 1e6);
    }

    /** Calls the witness, in the first cycle: the others repeat it. */
    void show(String name, int cycle) throws IOException, InterruptedException {
        if (cycle > 0) {
            return;
        }
        int exit = new ProcessBuilder("sh", "-c", witness + " " + name).inheritIO().start().waitFor();
        if (exit != 0) {
            throw new IOException(witness + " " + name + ": exit " + exit);
        }
    }

    /** What a work leaves for the kernel to do afterwards, freeing states and growing tables, is not to count with the next. */
    private void settle() throws InterruptedException {
        Thread.sleep(200 + objects / 5);
    }
}
