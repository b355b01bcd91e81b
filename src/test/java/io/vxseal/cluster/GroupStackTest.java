package io.vxseal.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jgroups.conf.ClassConfigurator;
import org.junit.jupiter.api.Test;

/** What JGroups is told of its own classes; a wrong number would end the talk with nodes of another version. */
class GroupStackTest {
    private static final Pattern ENTRY = Pattern.compile("<class id=\"(\\d+)\" *name=\"([^\"]+)\"");

    @Test
    void theClassesOnTheWireHaveTheirNumbersFromJGroups() throws IOException {
        assertSubset("jgroups-classes.xml", ClassConfigurator.MAGIC_NUMBER_FILE);
    }

    @Test
    void theProtocolsHaveTheirNumbersFromJGroups() throws IOException {
        assertSubset("jgroups-protocols.xml", ClassConfigurator.PROTOCOL_ID_FILE);
    }

    private static void assertSubset(String ours, String all) throws IOException {
        Map<String, String> numbers = numbers(GroupStack.class, ours);
        assertThat(numbers).isNotEmpty();
        assertThat(numbers(ClassConfigurator.class, "/" + all)).containsAllEntriesOf(numbers);
    }

    private static Map<String, String> numbers(Class<?> from, String resource) throws IOException {
        try (var in = from.getResourceAsStream(resource)) {
            return ENTRY.matcher(new String(in.readAllBytes(), StandardCharsets.UTF_8)).results()
                    .collect(Collectors.toMap((MatchResult entry) -> entry.group(2), entry -> entry.group(1)));
        }
    }
}
