package io.vxseal.lab;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * What the containers of a stack observe, and the hosts of its published ports: a line each, with what an address is of in place of
 * the address.
 *
 * @param lines that do not depend on the driver
 * @param clients which clients the servers saw
 */
public record Observations(Set<String> lines, Set<String> clients) {
    private static final Duration LIMIT = Duration.ofMinutes(5);

    /** What {@code observe} is asked in one place. */
    private record Observer(Guest guest, String prefix, String label, String questions) {}

    static Observations of(List<Guest> guests, Census census) {
        Observations all = new Observations(new TreeSet<>(), new TreeSet<>());
        String common = questions(guests, census);
        for (Collection<Observer> here : List.of(
                census.containers().stream().map(container -> new Observer(container.guest(), "nsenter -t %d -m -n perl /observe"
                        .formatted(container.process()), container.label(), awaited(census, container) + common)).toList(),
                guests.stream().map(guest -> new Observer(guest, "perl %s/observe".formatted(Stack.FOLDER), guest.name(),
                        published(guests, census))).toList())) {
            Map<Guest, List<Observer>> byGuest = here.stream().collect(Collectors.groupingBy(Observer::guest));
            Together.map(byGuest.values(), Observations::ask).forEach(answers ->
                    answers.forEach((observer, text) -> all.add(observer, text, census)));
        }
        return all;
    }

    /** Returns them with each line changed. */
    public Observations map(UnaryOperator<String> change) {
        return new Observations(lines.stream().map(change).collect(Collectors.toCollection(TreeSet::new)), clients);
    }

    /** Returns what a container waits for: that each service has the addresses of its containers, on a network that both have. */
    private static String awaited(Census census, Census.Container container) {
        StringBuilder awaited = new StringBuilder();
        census.services().forEach((name, service) -> {
            List<Census.Container> those = census.containers(name);
            String addresses = container.addresses().keySet().stream()
                    .map(network -> those.stream().map(one -> one.addresses().getOrDefault(network, "")).collect(Collectors.joining(" ")))
                    .filter(found -> !found.isBlank()).collect(Collectors.joining(" | "));
            if (!addresses.isEmpty()) {
                String prefix = those.getFirst().isTask() ? "tasks." : "";
                awaited.append("await %s%s %s\n".formatted(prefix, service.names.iterator().next(), addresses));
            }
        });
        return awaited.toString();
    }

    /** Returns the questions that are the same for all containers. */
    private static String questions(List<Guest> guests, Census census) {
        StringBuilder questions = new StringBuilder("links\n");
        guests.forEach(guest -> questions.append("ping %s\n".formatted(guest.address())));
        census.hosts().keySet().forEach(host -> questions.append("name %s\n".formatted(host)));
        census.services().forEach((name, service) -> {
            int count = Math.max(1, census.containers(name).size());
            for (String known : service.allNames()) {
                questions.append("name %1$s\ntcp %1$s %2$d %3$d\nudp %1$s %2$d %3$d\n".formatted(known, service.port, count));
            }
            service.vips.values().forEach(vip -> questions.append(toAddress(vip, service.port, count)));
            for (Census.Container container : census.containers(name)) {
                container.addresses().values().forEach(address -> questions.append(toAddress(address, service.port, 1)));
            }
        });
        return questions.toString();
    }

    private static String toAddress(String address, int port, int count) {
        return "tcp %1$s %2$d %3$d\nudp %1$s %2$d %3$d\nping %1$s\n".formatted(address, port, count);
    }

    /** Returns the questions about published ports, on each host. */
    private static String published(List<Guest> guests, Census census) {
        StringBuilder questions = new StringBuilder();
        census.services().forEach((name, service) -> {
            for (JsonNode port : service.ports) {
                int count = port.path("PublishMode").asText().equals("host") ? 1 : Math.max(1, census.containers(name).size());
                guests.forEach(guest -> questions.append("%s %s %d %d\n".formatted(
                        port.path("Protocol").asText(), guest.address(), port.path("PublishedPort").asInt(), count)));
            }
        });
        return questions.toString();
    }

    /** Returns the answers of all observers on one host. */
    private static Map<Observer, String> ask(List<Observer> observers) {
        String mark = "--- observer";
        // Containers have no locales.
        String script = "export LC_ALL=C\n" + IntStream.range(0, observers.size()).mapToObj(n -> "%s > %s/answers-%d 2>&1 <<'END' &\n%sEND\n".formatted(
                observers.get(n).prefix(), Stack.FOLDER, n, observers.get(n).questions())).collect(Collectors.joining())
                + "wait\nfor n in $(seq 0 %d); do echo '%s'; cat %s/answers-$n; done"
                        .formatted(observers.size() - 1, mark, Stack.FOLDER);
        // The last ones may have nothing to say.
        String[] answers = observers.getFirst().guest().run(script, LIMIT).require().split(mark + "\n?", -1);
        Map<Observer, String> byObserver = new HashMap<>();
        for (int n = 0; n < observers.size(); n++) {
            byObserver.put(observers.get(n), answers[n + 1]);
        }
        return byObserver;
    }

    private void add(Observer observer, String text, Census census) {
        text.lines().map(line -> line.split(" ")).forEach(words -> {
            List<String> rest = Arrays.stream(words).skip(1).map(word -> label(census, word)).toList();
            String line = switch (words[0]) {
                case "name" -> "name %s: %s".formatted(host(rest.getFirst(), words[1]), sorted(rest.subList(1, rest.size())));
                case "tcp", "udp" -> "%s to %s: %s".formatted(words[0], rest.getFirst(), sorted(rest.subList(1, rest.size())));
                case "seen" -> "%s to %s sees %s".formatted(words[1], rest.get(1), sorted(rest.subList(2, rest.size())));
                case "behind" -> "behind %s: %s".formatted(rest.getFirst(), Arrays.stream(words).skip(2)
                        .map(word -> word.split("=")).map(pair -> pair[0] + "=" + service(census.label(pair[1])))
                        .distinct().sorted().toList());
                // The engine's own bridge has addresses of its own.
                case "mtu" -> "mtu of %s: %s".formatted(rest.getFirst().equals(words[1]) ? "the gateway" : rest.getFirst(), words[2]);
                default -> "%s %s".formatted(words[0], String.join(" ", rest));
            };
            if (!words[0].equals("seen")) {
                lines.add(observer.label() + ": " + line);
            } else if (!observer.label().equals(observer.guest().name())) {
                // Through a published port servers see the engine's own balancer.
                clients.add(observer.label() + ": " + line);
            }
        });
    }

    /** Returns what a word is of: an address, with a port or without, a host name, or one after a {@code ~}. */
    private static String label(Census census, String word) {
        if (word.startsWith("~")) {
            return "a task of " + service(census.label(word.substring(1)));
        }
        String name = word.replaceFirst(":\\d+$", "");
        String label = census.label(name);
        return label.equals(name) ? word : label;
    }

    private static String host(String label, String name) {
        return label.equals(name) ? name : "of the host of " + label;
    }

    private static List<String> sorted(Collection<String> words) {
        return words.stream().sorted().toList();
    }

    /** Returns the service of a task's label. */
    private static String service(String label) {
        return label.replaceFirst("^task (\\d+ )?of (\\S+).*", "$2");
    }
}
