package io.vxseal.kernel.firewall;

import io.vxseal.kernel.netns.Namespace;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * The firewall's command-line tools.
 *
 * @param prefix words before each command, as in {@code nsenter --net=…}; empty to run it here
 * @param namespace to run it in, if not this process's own
 */
record CommandRunner(List<String> prefix, Optional<Namespace> namespace) {
    /** Seconds after which a process that said nothing is ended. */
    private static final int PROCESS_WAIT = 60;

    /** What a shell, env and nsenter exit with, too, where there is no such command. */
    private static final int COMMAND_NOT_FOUND = 127;

    /** The remedy where a tool is {@link Outcome#denied}. */
    static final String CAPABILITY = "the process needs CAP_NET_ADMIN in the host's network namespace";

    CommandRunner {
        prefix = List.copyOf(prefix);
    }

    CommandRunner(List<String> prefix) {
        this(prefix, Optional.empty());
    }

    static CommandRunner in(Namespace namespace) {
        return new CommandRunner(List.of(), Optional.of(namespace));
    }

    /** Characters of what a tool says that go into a message. */
    private static final int WORDS = 80;

    /**
     * How a command ended.
     *
     * @param output what it wrote to its standard output; of listings, the host's rules
     * @param errors what it wrote to its standard error
     */
    record Outcome(String command, int status, String output, String errors) {
        boolean done() {
            return status == 0;
        }

        boolean notFound() {
            return status == COMMAND_NOT_FOUND;
        }

        /** Whether it was refused for want of {@link #CAPABILITY}. */
        boolean denied() {
            return says("Permission denied") || says("not permitted");
        }

        boolean says(String words) {
            return output.contains(words) || errors.contains(words);
        }

        /** What was to be done, why it was not, and what would help; without what it listed. */
        FirewallException failed(String what, String remedy) {
            return new FirewallException(failure(what, remedy));
        }

        /** The message of {@link #failed}. */
        String failure(String what, String remedy) {
            return "%s: %s exited with %d: %s; %s".formatted(
                    what, command, status, FirewallException.shortened(errors, WORDS), remedy);
        }
    }

    Outcome run(List<String> command) throws FirewallException {
        return run(command, "");
    }

    /**
     * Runs a command to its end.
     *
     * @param input what it reads from its standard input
     */
    Outcome run(List<String> command, String input) throws FirewallException {
        List<String> words = Stream.concat(prefix.stream(), command.stream()).toList();
        Process process;
        try {
            ProcessBuilder builder = new ProcessBuilder(words);
            // What the tools say is compared, in English.
            builder.environment().put("LC_ALL", "C");
            process = namespace.isPresent() ? namespace.get().start(builder) : builder.start();
        } catch (IOException e) {
            return new Outcome(command.getFirst(), COMMAND_NOT_FOUND, "", e.getMessage());
        }
        var errors = new CompletableFuture<String>();
        // Both at once, or a tool that writes much to one waits for ever.
        Thread.ofVirtual().start(() -> errors.complete(text(process.getErrorStream())));
        Thread limit = Thread.ofVirtual().start(() -> endAfterLimit(process));
        try (var output = process.getInputStream()) {
            try (var stdin = process.getOutputStream()) {
                stdin.write(input.getBytes(StandardCharsets.UTF_8));
            } catch (IOException e) {
                // It ended without reading all; its status says why.
            }
            String said = new String(output.readAllBytes(), StandardCharsets.UTF_8);
            return new Outcome(command.getFirst(), process.waitFor(), said, errors.join());
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

    private static void endAfterLimit(Process process) {
        try {
            if (!process.waitFor(PROCESS_WAIT, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (InterruptedException e) {
            // It ended by itself.
        }
    }
}
