package io.vxseal.command;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.vxseal.check.PathCheck;
import java.net.InetAddress;
import org.junit.jupiter.api.Test;

class KnownSwarmTest {
    private static KnownSwarm read(String json) throws Exception {
        return new KnownSwarm(new ObjectMapper().readTree(json.replace('\'', '"')));
    }

    private static String endpoint(int number, boolean here, boolean joined, String node) {
        return "{'id':'e%1$d','address':'10.0.1.%1$d/24','mac':'02:42:0a:00:01:0%1$d','here':%2$s,'joined':%3$s,'node':'%4$s'}"
                .formatted(number, here, joined, node);
    }

    private static String network(String id, boolean encrypted, boolean up, String... endpoints) {
        return "{'id':'%s','encrypted':%s,'up':%s,'subnets':[{'pool':'10.0.1.0/24','gateway':'10.0.1.1/24','vni':4097}],'endpoints':[%s]}"
                .formatted(id, encrypted, up, String.join(",", endpoints));
    }

    @Test
    void checksOneWayByEachKindOfNetworkToEachNode() throws Exception {
        String networks = String.join(",",
                network("down", true, false, endpoint(2, true, true, "192.0.2.1"), endpoint(3, false, true, "192.0.2.2")),
                network("alone", true, true, endpoint(2, true, true, "192.0.2.1")),
                network("sealed", true, true, endpoint(2, true, true, "192.0.2.1"), endpoint(3, false, true, "192.0.2.2"),
                        endpoint(4, false, true, "192.0.2.2"), endpoint(5, false, true, "192.0.2.3")),
                network("sealed2", true, true, endpoint(2, true, true, "192.0.2.1"), endpoint(3, false, true, "192.0.2.2")),
                network("plain", false, true, endpoint(2, true, true, "192.0.2.1"), endpoint(3, false, true, "192.0.2.2")),
                network("unjoined", false, true, endpoint(2, true, false, "192.0.2.1"), endpoint(3, false, true, "192.0.2.3")));
        assertThat(read("{'networks':[" + networks + "]}").ways())
                .extracting(way -> way.node() + " by " + way.network())
                .containsExactly("192.0.2.2 by sealed", "192.0.2.3 by sealed", "192.0.2.2 by plain");
        PathCheck.Way first = read("{'networks':[" + networks + "]}").ways().getFirst();
        assertThat(first.vni()).isEqualTo(4097);
        assertThat(first.here().address()).isEqualTo(InetAddress.ofLiteral("10.0.1.2"));
        assertThat(first.there()).extracting(end -> end.mac().toString())
                .containsExactly("02:42:0a:00:01:03", "02:42:0a:00:01:04");
    }

    @Test
    void findsOtherManagers() throws Exception {
        assertThat(read("""
                {'node':{'address':'192.0.2.1'},'cluster':{'members':[
                  {'id':'a','role':'manager','address':'192.0.2.1'},{'id':'b','role':'manager','address':'192.0.2.2'},
                  {'id':'c','role':'worker','address':'192.0.2.3'},{'id':'d'}]}}""").managers())
                .containsExactly(InetAddress.ofLiteral("192.0.2.2"));
    }

    @Test
    void knowsNothingOfPluginWithoutNetworks() throws Exception {
        assertThat(read("{}").ways()).isEmpty();
        assertThat(read("{}").managers()).isEmpty();
    }
}
