package io.vxseal.command;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.vxseal.journal.Journal;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine;

/** Command that prints what happened on this node, and follows what happens. */
@CommandLine.Command(
        name = "events",
        description = "Prints what happens on this node, a line each: nodes and hubs that come and go, keys, repairs, errors, and trouble "
                + "that begins and ends. Goes on until it is interrupted, or the plugin ends (exit status 1).")
final class Events implements Callable<Integer> {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String DATA = "data: ";

    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec;

    @CommandLine.Mixin
    private RunningPlugin plugin;

    @CommandLine.Option(names = "--json", description = "Prints JSON, an object per line, for programs.")
    private boolean json;

    @CommandLine.Option(
            names = "--last",
            description = "Begins with so many events that happened before, " + Journal.CAPACITY + " at most; ${DEFAULT-VALUE} by default.",
            defaultValue = "20",
            paramLabel = "NUMBER")
    private int last;

    @CommandLine.Option(names = "--no-follow", description = "Prints the events that happened before, and ends.")
    private boolean noFollow;

    @CommandLine.Option(names = "--help", usageHelp = true, description = "Prints this help.")
    @SuppressWarnings("UnusedVariable") // picocli reads the annotation
    private boolean help;

    @Override
    public Integer call() throws Exception {
        if (last < 0 || last > Journal.CAPACITY) {
            throw new CommandLine.ParameterException(spec.commandLine(), "invalid --last \"%d\": want 0 to %d".formatted(last, Journal.CAPACITY));
        }
        if (noFollow) {
            JsonNode events = JSON.readTree(plugin.ask("GET", "/events", "application/json"));
            for (int i = Math.max(0, events.size() - last); i < events.size(); i++) {
                print(events.get(i));
            }
            return 0;
        }
        plugin.follow("/events?last=" + last, line -> {
            if (line.startsWith(DATA)) {
                print(parse(line.substring(DATA.length())));
            }
        });
        throw new IOException("the plugin ended the connection");
    }

    private static JsonNode parse(String data) {
        try {
            return JSON.readTree(data);
        } catch (JsonProcessingException foreign) {
            return JSON.createObjectNode().put("text", data);
        }
    }

    private void print(JsonNode event) {
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            out.println(event);
        } else if (event.has("missed")) {
            out.println("(%d events are missing here: they came faster than they were read)".formatted(event.path("missed").asLong()));
        } else {
            out.println("%s  %-15s  %s".formatted(
                    event.path("time").asText(), event.path("kind").asText(), event.path("text").asText()));
        }
        out.flush();
    }
}
