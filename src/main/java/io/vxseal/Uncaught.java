package io.vxseal;

/**
 * Handler of exceptions that nothing in their thread caught. It prints them on standard error, which the engine collects.
 *
 * <p>If the thread is one of this program's own, the process ends. The engine starts another one, and what is in the kernel stays in
 * force meanwhile. A process without its repairs would go unnoticed.
 */
final class Uncaught implements Thread.UncaughtExceptionHandler {
    private Uncaught() {}

    /** Installs the handler for all threads. */
    static void handle() {
        Thread.setDefaultUncaughtExceptionHandler(new Uncaught());
    }

    @Override
    public void uncaughtException(Thread thread, Throwable failure) {
        boolean ours = thread.getName().equals("main") || thread.getName().startsWith("vxseal-");
        try {
            System.err.println("vxseal: thread %s ended%s".formatted(
                    thread.getName(), ours ? ", and with it this process; the engine will restart it" : ""));
            failure.printStackTrace();
        } finally {
            if (ours) {
                // No shutdown hook: it would wait for locks that the thread may have left locked.
                Runtime.getRuntime().halt(1);
            }
        }
    }
}
