package io.vxseal.kernel.firewall;

import io.vxseal.kernel.netns.Namespace;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * A runner of the firewall's command-line tools.
 *
 * @param namespace in which the commands run
 * @param prefix words before each command; empty for none
 */
record CommandRunner(Namespace namespace, List<String> prefix) {
    /** Seconds after which a command is killed. */
    private static final int PROCESS_WAIT = 60;

    /** Exit status for a missing command, also of a shell, env and nsenter. */
    private static final int COMMAND_NOT_FOUND = 127;

    /** Remedy for a command that was {@link Outcome#denied}. */
    static final String CAPABILITY = "the process needs CAP_NET_ADMIN in the host's network namespace";

    CommandRunner {
        prefix = List.copyOf(prefix);
    }

    static CommandRunner in(Namespace namespace) {
        return new CommandRunner(namespace, List.of());
    }

    /** Longest part of a command's error output in a message, in characters. */
    private static final int ERROR_LIMIT = 80;

    /**
     * The outcome of a command.
     *
     * @param command its first word
     * @param status its exit status
     * @param output its standard output, which may list the host's rules
     * @param errors its standard error
     */
    record Outcome(String command, int status, String output, String errors) {
        boolean done() {
            return status == 0;
        }

        boolean notFound() {
            return status == COMMAND_NOT_FOUND;
        }

        /** Returns whether it failed because the process lacks {@link #CAPABILITY}. */
        boolean denied() {
            return hasOutput("Permission denied") || hasOutput("not permitted");
        }

        boolean hasOutput(String words) {
            return output.contains(words) || errors.contains(words);
        }

        /** Returns the exception with the failed step, the reason and the remedy, without the command's output. */
        FirewallException failed(String what, String remedy) {
            return new FirewallException(failure(what, remedy));
        }

        /** Returns the message of {@link #failed}. */
        String failure(String what, String remedy) {
            return "%s: %s exited with %d: %s; %s".formatted(
                    what, command, status, FirewallException.shortened(errors, ERROR_LIMIT), remedy);
        }
    }

    Outcome run(List<String> command) throws FirewallException {
        return run(command, "");
    }

    /**
     * Runs a command and waits for its end.
     *
     * @param input its standard input
     */
    Outcome run(List<String> command, String input) throws FirewallException {
        List<String> words = Stream.concat(prefix.stream(), command.stream()).toList();
        Process process;
        try {
            ProcessBuilder builder = new ProcessBuilder(words);
            // The tools' messages are compared in English.
            builder.environment().put("LC_ALL", "C");
            process = namespace.start(builder);
        } catch (IOException e) {
            return new Outcome(command.getFirst(), COMMAND_NOT_FOUND, "", e.getMessage());
        }
        var errors = new CompletableFuture<String>();
        // Both are read at once; a tool that fills one pipe while the other is read would wait for ever.
        Thread.ofVirtual().start(() -> errors.complete(text(process.getErrorStream())));
        Thread limit = Thread.ofVirtual().start(() -> killAfterLimit(process));
        try (var output = process.getInputStream()) {
            try (var stdin = process.getOutputStream()) {
                stdin.write(input.getBytes(StandardCharsets.UTF_8));
            } catch (IOException e) {
                // It ended without reading all of its input; its exit status has the reason.
            }
            String listed = new String(output.readAllBytes(), StandardCharsets.UTF_8);
            return new Outcome(command.getFirst(), process.waitFor(), listed, errors.join());
        } catch (IOException e) {
            throw new FirewallException("run " + String.join(" ", words), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new FirewallException("interrupted while running " + String.join(" ", words), e);
        } finally {
            process.destroyForcibly();
            limit.interrupt();
        }
    }

    private static String text(InputStream stream) {
        try (stream) {
            return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            return e.toString();
        }
    }

    private static void killAfterLimit(Process process) {
        try {
            if (!process.waitFor(PROCESS_WAIT, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (InterruptedException e) {
            // It has ended.
        }
    }
}
