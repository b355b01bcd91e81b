package io.vxseal.plugin;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.cluster.Cluster;
import io.vxseal.encryption.Encryption;
import io.vxseal.encryption.Ends;
import io.vxseal.encryption.NodePlan;
import io.vxseal.kernel.Firewall;
import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.Xfrm;
import io.vxseal.overlay.Driver;
import io.vxseal.overlay.Host;
import io.vxseal.overlay.Memory;
import io.vxseal.plugin.EngineClient.Answer;
import io.vxseal.state.StateFile;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The engine's calls, over the socket, on a host of the test's own in this machine's kernel. */
class ProtocolTest {
    private static final int PORT = 4789;

    private static final String PLAIN = "{'NetworkID':'net1','Options':{'com.docker.network.enable_ipv6':false,"
            + "'com.docker.network.generic':{'com.docker.network.driver.overlay.vxlanid_list':'4242'}},"
            + "'IPv4Data':[{'AddressSpace':'LocalDefault','Gateway':'10.44.0.1/24','Pool':'10.44.0.0/24'}],'IPv6Data':[]}";
    private static final String ENCRYPTED = PLAIN.replace("'4242'", "'4243','encrypted':''").replace("net1", "net2");
    private static final String TWO_SUBNETS = "{'NetworkID':'net3','Options':{'com.docker.network.generic':"
            + "{'com.docker.network.driver.overlay.vxlanid_list':'4244,4245','com.docker.network.driver.mtu':'9000'}},"
            + "'IPv4Data':[{'Gateway':'10.45.0.1/24','Pool':'10.45.0.0/24'},{'Gateway':'10.46.0.1/24','Pool':'10.46.0.0/24'}]}";
    private static final String ENDPOINT = "{'NetworkID':'%s','EndpointID':'5b78aabbccdd','Interface':"
            + "{'Address':'%s','AddressIPv6':'','MacAddress':'%s'},'Options':{}}";
    private static final String JOIN =
            "{'NetworkID':'%s','EndpointID':'5b78aabbccdd','SandboxKey':'/run/docker/netns/68d752866071','Options':{}}";
    private static final String BOTH = "{'NetworkID':'%s','EndpointID':'5b78aabbccdd'}";
    private static final String SELF =
            "{'DiscoveryType':1,'DiscoveryData':{'Address':'10.55.0.1','BindAddress':'10.55.0.1','Self':true}}";
    private static final String KEYS = "{'DiscoveryType':%d,'DiscoveryData':{'Keys':['MDEyMzQ1Njc4OWFiY2RlZg==',"
            + "'YWJjZGVmMDEyMzQ1Njc4OQ==','MTExMTExMTExMTExMTExMQ=='],'Tags':[1,2,3]}}";

    @TempDir
    private Path folder;

    private TestHost host;
    private Driver driver;
    private PluginServer server;
    private EngineClient engine;

    @BeforeEach
    void start() throws Exception {
        host = new TestHost(folder.resolve("host"));
        driver = driver();
        driver.recover();
        Path socket = folder.resolve("vxseal.sock");
        Door.open(socket);
        engine = new EngineClient(socket);
        server = PluginServer.start(driver);
    }

    private Driver driver() throws IOException {
        return new Driver(
                new Host(host.namespace(), host.route(), folder.resolve("netns"), PORT),
                new Encryption(Xfrm.in(host.namespace()), PORT),
                transport -> Firewall.choose(transport, PORT, NodePlan.MARK, host.prefix()),
                new StateFile<>(folder.resolve("state.json"), Memory.class),
                Duration.ZERO,
                listener -> new Cluster(
                        new Cluster.Settings(
                                folder.resolve("no-swarm"), folder.resolve("no-state.json"), 4788, Duration.ofHours(12), Optional.empty()),
                        listener));
    }

    @AfterEach
    void stop() throws IOException {
        server.close();
        driver.close();
        try (Stream<Path> pins = Files.exists(folder.resolve("netns")) ? Files.list(folder.resolve("netns")) : Stream.of()) {
            for (Path pin : pins.toList()) {
                io.vxseal.kernel.Namespace.unpin(pin);
            }
        }
        host.close();
    }

    private void done(String method, String body) throws IOException {
        Answer answer = engine.call(method, body);
        assertThat(answer.status()).as("%s: %s", method, answer.body()).isEqualTo(200);
    }

    private String everything() {
        return String.join(
                "\n",
                host.run("ip -d link show").replaceAll("(?m)^\\d+: ", ""),
                host.run("ip xfrm policy"),
                host.run("iptables-save").lines().filter(l -> l.startsWith("-A")).toList().toString());
    }

    private List<String> pins() throws IOException {
        Path netns = folder.resolve("netns");
        if (!Files.exists(netns)) {
            return List.of();
        }
        try (Stream<Path> pins = Files.list(netns)) {
            return pins.map(p -> p.getFileName().toString()).toList();
        }
    }

    @Test
    void theSocketIsTheOwnersAlone() throws IOException {
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(folder.resolve("vxseal.sock"))))
                .isEqualTo("rw-------");
    }

    @Test
    void itSaysWhatItIs() throws IOException {
        assertThat(engine.post("/Plugin.Activate", "").body().path("Implements").get(0).asText())
                .isEqualTo("NetworkDriver");
        Answer capabilities = engine.call("GetCapabilities", "");
        assertThat(capabilities.body().path("Scope").asText()).isEqualTo("global");
        assertThat(capabilities.body().path("ConnectivityScope").asText()).isEqualTo("global");
    }

    /** 20.10 sends it so. */
    @Test
    void aBlankHostHeaderIsTaken() throws IOException {
        assertThat(engine.postAs("", "/Plugin.Activate", "").status()).isEqualTo(200);
    }

    @Test
    void anUnknownMethodIs404() throws IOException {
        Answer answer = engine.call("Frobnicate", "{}");
        assertThat(answer.status()).isEqualTo(404);
        assertThat(answer.error()).contains("Frobnicate");
    }

    @Test
    void aBodyOverOneMebibyteIsRefused() throws IOException {
        Answer answer = engine.call("CreateNetwork", "{'NetworkID':'" + "a".repeat(1 << 20) + "'}");
        assertThat(answer.status()).isEqualTo(413);
        assertThat(answer.error()).contains("1 MiB");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "{", "[1", "nonsense", "{} {}"})
    void malformedJsonIsSaid(String body) throws IOException {
        Answer answer = engine.call("CreateNetwork", body);
        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.error()).isNotEmpty();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "'net1' | '' | NetworkID",
                "'net1' | '../../etc' | ../../etc",
                "'net1' | 7000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000 | NetworkID",
                "10.44.0.0/24 | 10.44.0.0 | 10.44.0.0",
                "10.44.0.0/24 | 10.44.0.0/33 | Pool",
                "10.44.0.0/24 | 10.44.0.7/24 | Pool",
                "10.44.0.0/24 | fd00::/64 | Pool",
                "10.44.0.1/24 | 10.99.0.1/24 | Gateway",
                "10.44.0.1/24 | gateway | Gateway",
                "'4242' | '0' | vxlanid_list",
                "'4242' | '16777216' | vxlanid_list",
                "'4242' | 'many' | vxlanid_list",
                "'4242' | '' | vxlanid_list",
                "'4242' | '4242','com.docker.network.driver.mtu':'-1' | mtu",
                "'4242' | '4242','com.docker.network.driver.mtu':'huge' | mtu",
                "'IPv4Data':[{ | 'IPv4Data':[{'x':[]}],'y':[{ | Pool",
                "'IPv4Data':[{ | 'IPv4Data':7,'y':[{ | IPv4Data",
                "'IPv6Data':[] | 'IPv6Data':[{'Pool':'fd00::/64'}] | fd00::/64"
            })
    void aWrongFieldOfANetworkIsNamedAndChangesNothing(String right, String wrong, String named) throws IOException {
        Answer answer = engine.call("CreateNetwork", PLAIN.replace(right.strip(), wrong.strip()));
        assertThat(answer.status()).as(answer.error()).isEqualTo(400);
        assertThat(answer.error()).contains(named);
        assertThat(engine.call("DeleteNetwork", "{'NetworkID':'net1'}").error()).contains("no such network");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "net1 | 10.44.0.2/24 | 02:42:zz:00:00:01 | MacAddress",
                "net1 | 10.44.0.2/24 | 01:00:5e:00:00:01 | 01:00:5e:00:00:01",
                "net1 | 10.45.0.2/24 | \"\" | 10.45.0.2/24",
                "net1 | 10.44.0.2 | \"\" | Address",
                "net1 | fd00::2/64 | \"\" | fd00::2/64",
                "other | 10.44.0.2/24 | \"\" | other"
            })
    void aWrongFieldOfAnEndpointIsNamedAndChangesNothing(String network, String address, String mac, String named)
            throws IOException {
        done("CreateNetwork", PLAIN);
        Answer answer = engine.call("CreateEndpoint", ENDPOINT.formatted(network, address, mac));
        assertThat(answer.status()).as(answer.error()).isEqualTo(400);
        assertThat(answer.error()).contains(named);
        assertThat(engine.call("DeleteEndpoint", BOTH.formatted("net1")).error()).contains("no such endpoint");
    }

    @Test
    void aJoinOfAnUnknownEndpointIsRefused() throws IOException {
        done("CreateNetwork", PLAIN);
        done("DiscoverNew", SELF);
        assertThat(engine.call("Join", JOIN.formatted("net1")).error()).contains("EndpointID").contains("5b78aabbccdd");
    }

    @Test
    void allocationReturnsAllOptionsAndTheVnis() throws IOException {
        String request = "{'NetworkID':'%s','Options':{'encrypted':'','foo':'bar'},'IPv4Data':"
                + "[{'AddressSpace':'','Gateway':'10.44.0.1/24','Pool':'10.44.0.0/24'}],'IPv6Data':null}";
        var options = engine.call("AllocateNetwork", request.formatted("a")).body().path("Options");
        assertThat(options.path("foo").asText()).isEqualTo("bar");
        assertThat(options.has("encrypted")).isTrue();
        String list = "com.docker.network.driver.overlay.vxlanid_list";
        assertThat(options.path(list).asText()).isEqualTo("4097");

        String taken = request.replace("'foo':'bar'", "'" + list + "':'4097'").formatted("b");
        Answer clash = engine.call("AllocateNetwork", taken);
        assertThat(clash.status()).isEqualTo(409);
        assertThat(clash.error()).contains("4097");
        done("FreeNetwork", "{'NetworkID':'a'}");
        done("AllocateNetwork", taken);
    }

    @Test
    void anEndpointLivesAndLeavesNothingBehind() throws IOException {
        String before = everything();
        done("DiscoverNew", SELF);
        done("CreateNetwork", PLAIN);
        Answer created = engine.call("CreateEndpoint", ENDPOINT.formatted("net1", "10.44.0.2/24", ""));
        assertThat(created.body().path("Interface").path("MacAddress").asText()).isEqualTo("02:42:0a:2c:00:02");
        Answer joined = engine.call("Join", JOIN.formatted("net1"));
        assertThat(joined.status()).as(joined.error()).isEqualTo(200);
        String link = joined.body().path("InterfaceName").path("SrcName").asText();
        assertThat(host.link(link).path("mtu").asInt()).isEqualTo(1450);
        assertThat(host.link(link).path("address").asText()).isEqualTo("02:42:0a:2c:00:02");
        assertThat(pins()).containsExactly("net1");

        done("Leave", BOTH.formatted("net1"));
        done("DeleteEndpoint", BOTH.formatted("net1"));
        done("DeleteNetwork", "{'NetworkID':'net1'}");
        assertThat(everything()).isEqualTo(before);
        assertThat(pins()).isEmpty();
    }

    @Test
    void aMacThatWasGivenIsUsedAndNotSaidAgain() throws IOException {
        done("DiscoverNew", SELF);
        done("CreateNetwork", PLAIN);
        Answer created =
                engine.call("CreateEndpoint", ENDPOINT.formatted("net1", "10.44.0.2/24", "02:11:22:33:44:55"));
        assertThat(created.body().path("Interface").has("MacAddress")).isFalse();
        String link = engine.call("Join", JOIN.formatted("net1"))
                .body()
                .path("InterfaceName")
                .path("SrcName")
                .asText();
        assertThat(host.link(link).path("address").asText()).isEqualTo("02:11:22:33:44:55");
    }

    @Test
    void eachSubnetHasItsVniAndARouteToTheOthers() throws IOException {
        done("DiscoverNew", SELF);
        done("CreateNetwork", TWO_SUBNETS);
        done("CreateEndpoint", ENDPOINT.formatted("net3", "10.46.0.2/24", ""));
        Answer joined = engine.call("Join", JOIN.formatted("net3"));
        assertThat(joined.status()).as(joined.error()).isEqualTo(200);
        var route = joined.body().path("StaticRoutes").get(0);
        assertThat(route.path("Destination").asText()).isEqualTo("10.45.0.0/24");
        assertThat(route.path("NextHop").asText()).isEqualTo("10.46.0.1");
        assertThat(host.link(joined.body().path("InterfaceName").path("SrcName").asText())
                        .path("mtu")
                        .asInt())
                .isEqualTo(8950);
    }

    @Test
    void creatingAgainSucceedsOnlyWithTheSameDefinition() throws IOException {
        done("CreateNetwork", PLAIN);
        done("CreateNetwork", PLAIN);
        Answer other = engine.call("CreateNetwork", PLAIN.replace("'4242'", "'4243'"));
        assertThat(other.status()).isEqualTo(409);
        assertThat(engine.call("CreateNetwork", PLAIN.replace("net1", "net9")).error()).contains("4242");
    }

    @Test
    void anEncryptedJoinWithoutKeysFailsAndLeavesNothingBehind() throws IOException {
        String before = everything();
        done("DiscoverNew", SELF);
        done("CreateNetwork", ENCRYPTED);
        done("CreateEndpoint", ENDPOINT.formatted("net2", "10.44.0.2/24", ""));
        Answer refused = engine.call("Join", JOIN.formatted("net2"));
        assertThat(refused.status()).isEqualTo(403);
        assertThat(refused.error()).contains("encryption key is not present");
        assertThat(everything()).isEqualTo(before);
        assertThat(pins()).isEmpty();
    }

    /** 2 is a datastore to 20.10 and the initial keys to 24.0: the fields tell. */
    @ParameterizedTest
    @ValueSource(ints = {2, 3})
    void keysComeInBothNumberingsAndRulesAndBlockPolicyStandWhileTheNetworkDoes(int type) throws IOException {
        String before = everything();
        done("DiscoverNew", SELF);
        done("DiscoverNew", KEYS.formatted(type));
        done("CreateNetwork", ENCRYPTED);
        done("CreateEndpoint", ENDPOINT.formatted("net2", "10.44.0.2/24", ""));
        Answer joined = engine.call("Join", JOIN.formatted("net2"));
        assertThat(joined.status()).as(joined.error()).isEqualTo(200);
        assertThat(host.link(joined.body().path("InterfaceName").path("SrcName").asText())
                        .path("mtu")
                        .asInt())
                .isEqualTo(1424);
        assertThat(host.run("ip xfrm policy")).contains("action block").contains("mark 0xd0c4e3/0xffffffff");
        assertThat(host.run("iptables-save").lines().filter(l -> l.startsWith("-A")))
                .hasSize(3)
                .anyMatch(rule -> rule.startsWith("-A OUTPUT") && rule.contains("MARK"))
                .anyMatch(rule -> rule.startsWith("-A OUTPUT") && rule.contains("--pol none") && rule.endsWith("DROP"))
                .anyMatch(rule -> rule.startsWith("-A INPUT") && rule.contains("--pol none") && rule.endsWith("DROP"));

        done("Leave", BOTH.formatted("net2"));
        done("DeleteEndpoint", BOTH.formatted("net2"));
        done("DeleteNetwork", "{'NetworkID':'net2'}");
        assertThat(everything()).isEqualTo(before);
        assertThat(pins()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "{'PrimaryTag':9,'Primary':'AA=='} | primary",
                "{'PruneTag':1,'Prune':'AA=='} | another primary",
                "{'Key':'AA==','Tag':4} | 1 octets",
                "{'Keys':['AA=='],'Tags':[]} | Tags",
                "{'Keys':['MDEyMzQ1Njc4OWFiY2RlZg=='],'Tags':[-1]} | Tag of Keys[0]",
                "{'Keys':['!!'],'Tags':[1]} | Keys",
                "{'Address':'nowhere','Self':true} | Address",
                "{'Address':'10.55.0.1','BindAddress':'x','Self':true} | BindAddress"
            })
    void aWrongDiscoveryIsNamedAndShowsNoKey(String data, String named) throws IOException {
        done("DiscoverNew", KEYS.formatted(2));
        Answer answer = engine.call("DiscoverNew", "{'DiscoveryType':3,'DiscoveryData':" + data + "}");
        assertThat(answer.status()).as(answer.error()).isEqualTo(400);
        assertThat(answer.error()).contains(named).doesNotContain("MDEy").doesNotContain("!!");
    }
}
