package io.vxseal.command;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.vxseal.check.Finding;
import io.vxseal.check.Way;
import io.vxseal.check.host.Node;
import io.vxseal.swarm.ManagerAddresses;
import java.net.InetAddress;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class KnownSwarmTest {
    private static KnownSwarm read(String json) throws Exception {
        return read(json, ManagerAddresses.Listing.EMPTY);
    }

    private static KnownSwarm read(String json, ManagerAddresses.Listing listed) throws Exception {
        return new KnownSwarm(new ObjectMapper().readTree(json.replace('\'', '"')), listed);
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
        Way first = read("{'networks':[" + networks + "]}").ways().getFirst();
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

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            a,b | {'id':'a','role':'manager','address':'192.0.2.1'},{'id':'b','role':'manager','address':'192.0.2.2'} | 192.0.2.2
            b,c |                                                                                                     | 198.51.100.2 198.51.100.3
            b,c | {'id':'b','role':'manager','address':'192.0.2.2'}                                     | 192.0.2.2 198.51.100.2 198.51.100.3
            b   | {'id':'b','role':'manager','address':'192.0.2.2'}                                     | 192.0.2.2 198.51.100.2 198.51.100.3
            """)
    void addsManagersOfEnginesListThatAreNotHeardFrom(String ids, @Nullable String members, String found) throws Exception {
        Set<InetAddress> addresses = Set.of(InetAddress.ofLiteral("192.0.2.1"),
                InetAddress.ofLiteral("198.51.100.2"), InetAddress.ofLiteral("198.51.100.3"));
        Set<String> nodes = Set.of(ids.split(","));
        // The own address is on a manager's own list.
        var listing = new ManagerAddresses.Listing(nodes, members != null && members.contains("'a'")
                ? Set.of(InetAddress.ofLiteral("192.0.2.1"), InetAddress.ofLiteral("198.51.100.2")) : nodes.size() == 2
                        ? Set.of(InetAddress.ofLiteral("198.51.100.2"), InetAddress.ofLiteral("198.51.100.3")) : addresses);
        KnownSwarm swarm = read("{'node':{'id':'a','address':'192.0.2.1'},'cluster':{'members':[%s]}}"
                .formatted(members == null ? "" : members), listing);
        assertThat(swarm.managers()).extracting(InetAddress::getHostAddress).containsExactlyInAnyOrder(found.split(" "));
    }

    @Test
    void knowsItsNodeForChecksOfHost() throws Exception {
        String sealed = network("sealed", true, true);
        KnownSwarm swarm = read("{'node':{'address':'203.0.113.1','bindAddress':'192.0.2.1'},'networks':[" + sealed
                + "],'cluster':{'members':[{'id':'a','address':'203.0.113.1'},{'id':'c','role':'worker','address':'192.0.2.3'}]}}");
        assertThat(swarm.node()).isEqualTo(new Node(Optional.of(InetAddress.ofLiteral("192.0.2.1")),
                Set.of(InetAddress.ofLiteral("192.0.2.3")), Set.of(4097)));
        assertThat(read("{}").node()).isEqualTo(Node.UNKNOWN);
    }

    private static List<String> failures(String json) throws Exception {
        return read(json).findings(4788).stream().filter(finding -> !finding.fit()).map(Finding::check).toList();
    }

    @Test
    void namesProblemMissingKeysRefusedNetworksAndWrongClock() throws Exception {
        String encrypted = network("sealed", true, false);
        assertThat(failures("{'networks':[" + encrypted + "],'ring':{},'cluster':{}}")).isEmpty();
        assertThat(failures("{'networks':[" + network("plain", false, true) + "],'cluster':{}}")).isEmpty();
        assertThat(failures("{'networks':[" + encrypted + "],'cluster':{}}")).containsExactly("keys");
        assertThat(failures("{'cluster':{'problem':'no hub is reached; connection refused'}}")).containsExactly("cluster");
        assertThat(failures("{'conditions':[{'kind':'refused','text':'network x was refused'},"
                + "{'kind':'clock','text':'an hour behind'},{'kind':'path_silent'}]}"))
                .containsExactly("refused", "clock");
    }

    @Test
    void namesCommandsThatLetManagersBeReached() throws Exception {
        assertThat(read("{'networks':[%s],'cluster':{'problem':'no hub is reached'}}".formatted(network("sealed", true, false))).findings(4799))
                .filteredOn(Finding::unfit).hasSize(2).extracting(Finding::remedy)
                .allMatch(remedy -> remedy.contains("iptables -I INPUT -p tcp --dport 4799 -j ACCEPT"));
    }

    @Test
    void listsNodesThatNoWayLeadsToAsUntried() throws Exception {
        String members = "{'id':'a','address':'192.0.2.1'},{'id':'b','address':'192.0.2.2'},{'id':'c','address':'192.0.2.3'},{'id':'d'}";
        String node = "{'node':{'address':'192.0.2.1'},'cluster':{'members':[" + members + "]},'networks':[%s]}";
        String toTwo = network("plain", false, true, endpoint(2, true, true, "192.0.2.1"), endpoint(3, false, true, "192.0.2.2"));
        String toThree = network("other", true, true, endpoint(2, true, true, "192.0.2.1"), endpoint(3, false, true, "192.0.2.3"));
        assertThat(read(node.formatted(toTwo)).withoutWay()).hasValueSatisfying(finding -> {
            assertThat(finding.state()).isEqualTo(Finding.State.UNTRIED);
            assertThat(finding.found()).contains("192.0.2.3").doesNotContain("192.0.2.1", "192.0.2.2");
            assertThat(finding.remedy()).contains("docker service create --mode global --network");
            assertThat(Check.json(List.of(finding))).contains("\"fit\":true,\"state\":\"untried\"");
        });
        assertThat(read(node.formatted(toTwo + "," + toThree)).withoutWay()).isEmpty();
    }

    @Test
    void knowsNothingOfPluginWithoutNetworks() throws Exception {
        assertThat(read("{}").ways()).isEmpty();
        assertThat(read("{}").managers()).isEmpty();
    }
}
