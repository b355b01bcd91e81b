package io.vxseal.kernel.firewall;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The rules of this plugin that one table of iptables contains, as a -save command printed them. */
final class IptablesTable {
    /** A word of a rule, or a quoted text. */
    private static final Pattern WORD = Pattern.compile("\"(?:[^\"\\\\]|\\\\.)*\"|\\S+");

    /** What a rule has counted, packets and octets, in front of it. */
    private static final Pattern COUNTED = Pattern.compile("\\[(\\d{1,18}):\\d+\\] ");

    /** Targets, and none, after which a packet is dropped or goes on with the next rule. Any other might accept it. */
    private static final Set<String> HARMLESS_TARGETS = Set.of("", "DROP", "REJECT", "LOG", "NFLOG");

    /** Table, chain and target of the rules of version 0.1.0, which had no chains of its own. */
    private static final Set<String> EARLIER_RULES =
            Set.of("filter INPUT DROP", "filter OUTPUT DROP", "mangle OUTPUT MARK");

    private final Firewall.Transport transport;

    /** Rules that lead to our chains, and rules of version 0.1.0. */
    private final List<IptablesRules.Jump> jumps = new ArrayList<>();

    /** Jumps below a rule that might accept a packet. */
    private final Set<IptablesRules.Jump> overtaken = new HashSet<>();

    /** Our chains with their rules. */
    private final Map<String, List<List<String>>> chains = new LinkedHashMap<>();

    /** What those rules of our chains have counted that drop, by chain and words. */
    private final Map<List<String>, Drops> drops = new HashMap<>();

    private IptablesTable(Firewall.Transport transport) {
        this.transport = transport;
    }

    /** Reads the output of a -save command, and returns the tables of {@link IptablesRules#TABLES} by name. */
    static Map<String, IptablesTable> parse(Firewall.Transport transport, String saved) {
        var tables = new HashMap<String, IptablesTable>();
        IptablesRules.TABLES.forEach(name -> tables.put(name, new IptablesTable(transport)));
        // Chains of the current table with a rule so far that might accept a packet.
        var accepting = new HashSet<String>();
        String name = "";
        for (String line : saved.lines().toList()) {
            if (line.startsWith("*")) {
                name = line.substring(1);
                accepting.clear();
            } else if (tables.containsKey(name)) {
                tables.get(name).readLine(name, line, accepting);
            }
        }
        return tables;
    }

    private void readLine(String table, String printed, Set<String> accepting) {
        Matcher counted = COUNTED.matcher(printed);
        boolean hasCounter = counted.lookingAt();
        String line = hasCounter ? printed.substring(counted.end()) : printed;
        if (line.startsWith(":" + IptablesRules.CHAIN_PREFIX)) {
            chains.putIfAbsent(line.substring(1, line.indexOf(' ')), new ArrayList<>());
            return;
        }
        if (!line.startsWith("-A ")) {
            return;
        }
        List<String> all = WORD.matcher(line).results().map(MatchResult::group).toList();
        String chain = all.get(1);
        List<String> words = all.subList(2, all.size());
        String target = target(words);
        if (chain.startsWith(IptablesRules.CHAIN_PREFIX)) {
            chains.computeIfAbsent(chain, _ -> new ArrayList<>()).add(words);
            if (hasCounter && target.equals("DROP")) {
                drops.merge(normalized(all), drops(chain, Long.parseLong(counted.group(1))), Drops::plus);
            }
        } else if (target.startsWith(IptablesRules.CHAIN_PREFIX)
                || EARLIER_RULES.contains(table + " " + chain + " " + target) && segment(words).isPresent()) {
            var jump = new IptablesRules.Jump(chain, words);
            jumps.add(jump);
            if (accepting.contains(chain)) {
                overtaken.add(jump);
            }
        } else if (!HARMLESS_TARGETS.contains(target)) {
            accepting.add(chain);
        }
    }

    /** Returns a count by the direction of a chain. That of fragments is of both, and counts as incoming. */
    private static Drops drops(String chain, long packets) {
        return chain.equals(IptablesRules.OUTGOING) ? new Drops(0, packets) : new Drops(packets, 0);
    }

    /** Returns what those rules of our chains have counted that drop, by chain and words. */
    Map<List<String>, Drops> drops() {
        return drops;
    }

    private static String target(List<String> words) {
        int jump = Math.max(words.indexOf("-j"), words.indexOf("-g"));
        return jump < 0 || jump + 1 == words.size() ? "" : words.get(jump + 1);
    }

    /** Returns the segments that have a rule here, of this version or of 0.1.0. */
    Stream<Segment> segments() {
        return Stream.concat(
                        chains.values().stream().flatMap(List::stream), jumps.stream().map(IptablesRules.Jump::words))
                .flatMap(words -> segment(words).stream());
    }

    private Optional<Segment> segment(List<String> words) {
        int program = words.indexOf("--bytecode");
        int port = words.indexOf("--dport");
        if (program < 0 || port < 0 || !words.get(port + 1).matches("\\d{1,5}")) {
            return Optional.empty();
        }
        OptionalInt vni = VxlanMatch.vni(transport, words.get(program + 1).replace("\"", ""));
        return vni.isPresent()
                ? Optional.of(new Segment(Integer.parseInt(words.get(port + 1)), vni.getAsInt()))
                : Optional.empty();
    }

    boolean hasJumps() {
        return !jumps.isEmpty();
    }

    /** Returns whether the table contains exactly the wanted rules, in their places. */
    boolean isExactly(IptablesRules wanted) {
        return overtaken.isEmpty()
                && counted(jumps).equals(counted(wanted.jumps()))
                && normalized(chains).equals(normalized(wanted.chains()));
    }

    /**
     * Returns whether the table contains the wanted rules once each: jumps in their places, and the first rule of each chain
     * first.
     */
    boolean includes(IptablesRules wanted) {
        return wanted.jumps().stream().allMatch(this::includes)
                && wanted.chains().entrySet().stream().allMatch(chain ->
                        includes(chains.getOrDefault(chain.getKey(), List.of()), chain.getValue()));
    }

    private boolean includes(IptablesRules.Jump wanted) {
        return !overtaken.contains(wanted)
                && jumps.stream()
                                .filter(jump -> jump.chain().equals(wanted.chain())
                                        && normalized(jump.words()).equals(normalized(wanted.words())))
                                .count()
                        == 1;
    }

    private static boolean includes(List<List<String>> rules, List<List<String>> wanted) {
        List<List<String>> found = rules.stream().map(IptablesTable::normalized).toList();
        return !found.isEmpty()
                && found.getFirst().equals(normalized(wanted.getFirst()))
                && wanted.stream().allMatch(rule -> Collections.frequency(found, normalized(rule)) == 1);
    }

    private static Map<List<String>, Long> counted(List<IptablesRules.Jump> jumps) {
        return jumps.stream().collect(Collectors.groupingBy(
                jump -> Stream.concat(Stream.of(jump.chain()), normalized(jump.words()).stream()).toList(),
                Collectors.counting()));
    }

    private static Map<String, List<List<String>>> normalized(Map<String, List<List<String>>> chains) {
        return chains.entrySet().stream().collect(Collectors.toMap(
                Map.Entry::getKey, chain -> chain.getValue().stream().map(IptablesTable::normalized).toList()));
    }

    /** Returns a rule's words sorted, because versions print its matches in different orders. */
    private static List<String> normalized(List<String> words) {
        return words.stream().sorted().toList();
    }

    /** Returns the lines for a -restore command that replace the rules here with the wanted ones. */
    String replacement(IptablesRules wanted) {
        var lines = new StringBuilder();
        // This creates a chain, or empties an existing one.
        Stream.concat(chains.keySet().stream(), wanted.chains().keySet().stream())
                .distinct()
                .forEach(chain -> lines.append(":%s - [0:0]\n".formatted(chain)));
        jumps.forEach(jump -> lines.append("-D %s %s\n".formatted(jump.chain(), String.join(" ", jump.words()))));
        wanted.jumps().forEach(jump ->
                lines.append("-I %s %s\n".formatted(jump.chain(), String.join(" ", jump.words()))));
        wanted.chains().forEach((chain, rules) ->
                rules.forEach(rule -> lines.append("-A %s %s\n".formatted(chain, String.join(" ", rule)))));
        chains.keySet().stream()
                .filter(Predicate.not(wanted.chains()::containsKey))
                .forEach(chain -> lines.append("-X %s\n".formatted(chain)));
        return lines.toString();
    }
}
