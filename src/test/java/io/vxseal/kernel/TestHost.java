package io.vxseal.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.route.Route;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;

/** A network namespace for a test, with the distribution's tools run inside it as an independent witness. */
public final class TestHost implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();

    public final Path pin;
    public final Namespace namespace;
    public final Route route;

    public TestHost(Path pin) throws KernelException {
        this.pin = pin;
        this.namespace = Namespace.create(pin);
        this.route = Route.in(namespace);
        route.links().setUp("lo");
    }

    /**
     * Connects another namespace by its new link eth0 to the bridge br0 of this one.
     *
     * @param port name of the bridge's port
     * @param address of eth0, with its length
     */
    public void connect(TestHost other, String port, String address) {
        run("ip link add %s type veth peer name eth0 netns %s".formatted(port, other.pin));
        run("ip link set %s master br0 up".formatted(port));
        other.run("ip address add %s dev eth0".formatted(address));
        other.run("ip link set eth0 up");
    }

    /** Returns the namespace itself. */
    public Namespace namespace() {
        return namespace;
    }

    /** Returns the links, ports and neighbours of the namespace. */
    public Route route() {
        return route;
    }

    /** Returns the words before a command that run it in the namespace. */
    public List<String> prefix() {
        return List.of("nsenter", "--net=" + pin);
    }

    /** Makes an object in the namespace that belongs to it from then on, such as a socket. */
    public <T> T within(Callable<T> maker) throws KernelException {
        var made = new AtomicReference<T>();
        namespace.within(() -> {
            try {
                made.set(maker.call());
            } catch (Exception e) {
                throw new AssertionError(e);
            }
            return 0;
        });
        return made.get();
    }

    /** Runs a command, words separated by spaces, that must succeed, and returns its output. */
    public String run(String command) {
        return run(List.of(command.split(" ")));
    }

    public String run(List<String> command) {
        Outcome outcome = attempt(command);
        assertThat(outcome.status()).as("%s: %s", command, outcome.output()).isZero();
        return outcome.output();
    }

    /** Runs a command and returns its output if it fails; empty if it succeeds. */
    public Optional<String> failure(String command) {
        Outcome outcome = attempt(List.of(command.split(" ")));
        return outcome.status == 0 ? Optional.empty() : Optional.of(outcome.output);
    }

    public Outcome attempt(List<String> command) {
        try {
            Process process = new ProcessBuilder(
                            Stream.concat(prefix().stream(), command.stream()).toList())
                    .redirectErrorStream(true)
                    .start();
            process.getOutputStream().close();
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            return new Outcome(process.waitFor(), output);
        } catch (IOException | InterruptedException e) {
            throw new AssertionError(command.toString(), e);
        }
    }

    public record Outcome(int status, String output) {}

    /** Runs a command and returns its output read as JSON. */
    public JsonNode json(String command) {
        try {
            return JSON.readTree(run(command));
        } catch (IOException e) {
            throw new AssertionError(command, e);
        }
    }

    /** Returns the output of {@code ip -d -j link show} for one link. */
    public JsonNode link(String name) {
        return json("ip -d -j link show dev " + name).get(0);
    }

    @Override
    public void close() throws KernelException {
        route.close();
        namespace.close();
        Namespace.unpin(pin);
    }
}
