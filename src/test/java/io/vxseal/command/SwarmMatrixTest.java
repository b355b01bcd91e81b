package io.vxseal.command;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class SwarmMatrixTest {
    private static SwarmMatrix read(String nodes) throws Exception {
        return new SwarmMatrix(new ObjectMapper().readTree("[" + nodes.replace('\'', '"') + "]"));
    }

    @Test
    void drawsSignPerPathAndExplainsTrouble() throws Exception {
        SwarmMatrix matrix = read("""
                {'id':'a','address':'192.0.2.1','paths':'-+X','findings':[{'to':'c','found':'none answers','remedy':'open ESP'}]},
                {'id':'b','address':'192.0.2.2','paths':'+-?','findings':[]},
                {'id':'c','address':'192.0.2.3','findings':[]}""");
        assertThat(matrix.isFit()).isFalse();
        assertThat(matrix.print()).startsWith("""
                FROM  TO 1 2 3  NODE
                   1     - + X  a  192.0.2.1
                   2     + - ?  b  192.0.2.2
                   3            c  192.0.2.3  no answer
                """).contains("""
                1 to 3: none answers
                    open ESP
                """, "2 b: there was no time to try 1 paths", "3 c gave no answer", "vxseal status", "3 nodes, 2 paths pass");
    }

    @Test
    void isFitIfAllNodesAnswerAndNoPathFails() throws Exception {
        SwarmMatrix matrix = read("{'id':'a','paths':'-+.','findings':[]},{'id':'b','paths':'+-.','findings':[]},{'id':'c','paths':'..-','findings':[]}");
        assertThat(matrix.isFit()).isTrue();
        assertThat(matrix.print()).contains("3 nodes, 2 paths pass, none does not");
    }

    @Test
    void drawsTroubledNodesOnlyOfLargeSwarm() throws Exception {
        String print = read(IntStream.range(0, 100).mapToObj(node -> "{'id':'n%d','address':'','findings':[],'paths':'%s'}".formatted(
                node, IntStream.range(0, 100).mapToObj(to -> to == node ? "-" : node == 17 && to == 80 ? "X" : "+")
                        .collect(Collectors.joining()))).collect(Collectors.joining(","))).print();
        assertThat(print).startsWith("""
                FROM  TO  18  81  NODE
                  18       -   X  n17  \

                  81       +   -  n80  \

                98 more nodes are not drawn: their paths pass
                """).contains("18 n17 did not say why");
    }

    @Test
    void showsNoControlCharactersOfOtherNodes() throws Exception {
        assertThat(read("{'id':'a','paths':'-X','findings':[{'to':'b','found':'\\u001b[2J','remedy':'x\\ny'}]},{'id':'b','paths':'+-','findings':[]}")
                .print()).doesNotContain("\u001b").contains("x y");
    }
}
