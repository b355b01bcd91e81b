package io.vxseal;

/**
 * What becomes of a failure that nothing in its thread caught. It is told, on standard error, which the engine collects. If
 * the thread was one that this program cannot be without, the process ends: the engine starts another, and what is in the
 * kernel holds meanwhile; while nobody would know of a process that lives on without its repairs.
 */
final class Uncaught implements Thread.UncaughtExceptionHandler {
    private Uncaught() {}

    /** Sees to all threads from now on. */
    static void handle() {
        Thread.setDefaultUncaughtExceptionHandler(new Uncaught());
    }

    @Override
    public void uncaughtException(Thread thread, Throwable failure) {
        boolean ours = thread.getName().equals("main") || thread.getName().startsWith("vxseal-");
        try {
            System.err.println("vxseal: thread %s ended%s".formatted(
                    thread.getName(), ours ? ", and with it this process; the engine is to start it again" : ""));
            failure.printStackTrace();
        } finally {
            if (ours) {
                // No shutdown hook: it would wait for locks that the thread may have left locked.
                Runtime.getRuntime().halt(1);
            }
        }
    }
}
