package io.vxseal.plugin;

import io.vxseal.text.Line;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Text for a terminal in lines and in columns that are as wide as their widest cell. */
final class TextTable {
    private static final String GAP = "  ";
    private static final String UNKNOWN = "-";

    private final StringBuilder text = new StringBuilder();

    /** Adds a line. */
    TextTable line(String line) {
        text.append(line).append('\n');
        return this;
    }

    /** Adds a section. If it has no rows, it says so. */
    void section(List<String> heading, List<List<String>> rows) {
        List<List<String>> all = new ArrayList<>();
        all.add(heading);
        all.addAll(rows.isEmpty() ? List.of(row("(none)")) : rows);
        text.append('\n');
        lines(all);
    }

    void lines(List<List<String>> rows) {
        int[] widths = new int[rows.stream().mapToInt(List::size).max().orElse(0)];
        for (List<String> row : rows) {
            for (int i = 0; i < row.size(); i++) {
                widths[i] = Math.max(widths[i], row.get(i).length());
            }
        }
        for (List<String> row : rows) {
            StringBuilder line = new StringBuilder();
            for (int i = 0; i < row.size(); i++) {
                line.append(row.get(i)).repeat(' ', widths[i] - row.get(i).length()).append(GAP);
            }
            text.append(line.toString().stripTrailing()).append('\n');
        }
    }

    /** Returns a row without control characters: errors quote input of callers, which must not control the terminal. */
    static List<String> row(@Nullable String... cells) {
        return Arrays.stream(cells)
                .map(cell -> cell == null || cell.isEmpty() ? UNKNOWN : Line.visible(cell))
                .toList();
    }

    static String yes(boolean is) {
        return is ? "yes" : "no";
    }

    static String number(@Nullable Integer known) {
        return known == null ? UNKNOWN : known.toString();
    }

    /** Returns a duration in its two largest units: 45s, 12m 5s, 3h 20m, 9d 4h. */
    static String age(long seconds) {
        if (seconds < 60) {
            return seconds + "s";
        }
        if (seconds < 3600) {
            return "%dm %ds".formatted(seconds / 60, seconds % 60);
        }
        if (seconds < 86_400) {
            return "%dh %dm".formatted(seconds / 3600, seconds % 3600 / 60);
        }
        return "%dd %dh".formatted(seconds / 86_400, seconds % 86_400 / 3600);
    }

    @Override
    public String toString() {
        return text.toString();
    }
}
