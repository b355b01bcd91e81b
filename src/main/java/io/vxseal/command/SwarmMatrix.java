package io.vxseal.command;

import com.fasterxml.jackson.databind.JsonNode;
import io.vxseal.text.Line;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The paths between all nodes as a matrix for a terminal: a row for each node that they begin at, a column for each that they end at.
 *
 * @param nodes as in the answer to {@code POST /swarm/check}
 */
record SwarmMatrix(JsonNode nodes) {
    /** Most nodes that are drawn; of more, those with trouble. */
    private static final int MOST_DRAWN = 40;

    private static final char PASSES = '+';
    private static final String TROUBLE = "X?";
    private static final String LEGEND = "+ packets pass there and back   X they do not, or not the largest ones   ? not tried for lack of time   "
            + ". no containers on a common network";

    /** Returns whether all nodes answered and all their paths pass. */
    boolean isFit() {
        return IntStream.range(0, nodes.size()).noneMatch(this::isRowTroubled);
    }

    private String signs(int row) {
        return nodes.path(row).path("paths").asText();
    }

    private boolean isSilent(int row) {
        return signs(row).isEmpty();
    }

    private boolean isRowTroubled(int row) {
        return isSilent(row) || signs(row).chars().anyMatch(sign -> TROUBLE.indexOf(sign) >= 0);
    }

    private boolean isColumnTroubled(int column) {
        return IntStream.range(0, nodes.size()).anyMatch(row -> TROUBLE.indexOf(sign(row, column)) >= 0);
    }

    /** Returns the sign of a path; a blank if the node at its beginning did not answer. */
    private char sign(int row, int column) {
        return column < signs(row).length() ? signs(row).charAt(column) : ' ';
    }

    String print() {
        List<Integer> drawn = drawn();
        int width = String.valueOf(nodes.size()).length() + 1;
        StringBuilder text = new StringBuilder("FROM  TO");
        drawn.forEach(column -> text.append(padded(String.valueOf(column + 1), width)));
        text.append("  NODE\n");
        for (int row : drawn) {
            text.append(padded(String.valueOf(row + 1), 4)).append("    ");
            drawn.forEach(column -> text.append(padded(String.valueOf(sign(row, column)), width)));
            text.append("  %s  %s%s%n".formatted(name(row), Line.visible(nodes.path(row).path("address").asText()),
                    isSilent(row) ? "  no answer" : ""));
        }
        if (drawn.size() < nodes.size()) {
            text.append("%d more nodes are not drawn%s%n".formatted(nodes.size() - drawn.size(),
                    drawn.size() < MOST_DRAWN ? ": their paths pass" : ""));
        }
        text.append("%n%s%n".formatted(LEGEND));
        IntStream.range(0, nodes.size()).forEach(row -> explain(row, text));
        long passing = IntStream.range(0, nodes.size()).mapToLong(row -> count(row, PASSES)).sum();
        return text.append("%n%d nodes, %d paths pass, %s%n".formatted(
                nodes.size(), passing, isFit() ? "none does not" : "see above for the others")).toString();
    }

    private List<Integer> drawn() {
        if (nodes.size() <= MOST_DRAWN) {
            return IntStream.range(0, nodes.size()).boxed().toList();
        }
        List<Integer> troubled = new ArrayList<>();
        for (int node = 0; node < nodes.size() && troubled.size() < MOST_DRAWN; node++) {
            if (isRowTroubled(node) || isColumnTroubled(node)) {
                troubled.add(node);
            }
        }
        return troubled;
    }

    /** Says what is wrong with a node's paths, and what mends it. */
    private void explain(int row, StringBuilder text) {
        if (isSilent(row)) {
            text.append("%n%d %s gave no answer: it is down, reaches this manager's plugin no more, or its plugin does not know the question%n"
                    .formatted(row + 1, name(row)));
            remedy("on that node: docker plugin ls; vxseal status", text);
            return;
        }
        JsonNode findings = nodes.path(row).path("findings");
        for (JsonNode finding : findings) {
            text.append("%n%d to %s: %s%n".formatted(row + 1, column(finding.path("to").asText()), Line.of(finding.path("found").asText())));
            remedy(Line.of(finding.path("remedy").asText()), text);
        }
        if (count(row, 'X') > 0 && findings.isEmpty()) {
            text.append("%n%d %s did not say why its paths do not pass%n".formatted(row + 1, name(row)));
            remedy("on that node: vxseal check", text);
        } else if (count(row, 'X') > findings.size()) {
            text.append("%n%d %s: more paths do not pass%n".formatted(row + 1, name(row)));
            remedy("mend the ones above, then vxseal check --swarm", text);
        }
        if (count(row, '?') > 0) {
            text.append("%n%d %s: there was no time to try %d paths, because others do not pass%n"
                    .formatted(row + 1, name(row), count(row, '?')));
            remedy("mend the ones above, then vxseal check --swarm", text);
        }
    }

    private static void remedy(String command, StringBuilder text) {
        text.append("    ").append(command).append(System.lineSeparator());
    }

    private long count(int row, char sign) {
        return signs(row).chars().filter(each -> each == sign).count();
    }

    private String name(int row) {
        return Line.visible(nodes.path(row).path("id").asText());
    }

    /** Returns the number of the node with this id. */
    private String column(String id) {
        return IntStream.range(0, nodes.size()).filter(node -> nodes.path(node).path("id").asText().equals(id)).findFirst()
                .stream().mapToObj(node -> String.valueOf(node + 1)).findFirst().orElse(Line.visible(id));
    }

    private static String padded(String text, int width) {
        return " ".repeat(Math.max(0, width - text.length())) + text;
    }
}
