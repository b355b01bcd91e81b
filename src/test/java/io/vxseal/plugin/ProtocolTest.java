package io.vxseal.plugin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.cluster.Cluster;
import io.vxseal.cluster.ClusterSettings;
import io.vxseal.cluster.PeerChange;
import io.vxseal.encryption.Encryption;
import io.vxseal.encryption.EspProbe;
import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.firewall.Firewall;
import io.vxseal.kernel.firewall.FirewallDetector;
import io.vxseal.kernel.xfrm.Xfrm;
import io.vxseal.overlay.Driver;
import io.vxseal.overlay.Host;
import io.vxseal.overlay.StateStore;
import io.vxseal.peers.Peer;
import io.vxseal.plugin.EngineClient.Answer;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
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
        engine = new EngineClient(socket);
        server = PluginServer.start(PluginSocket.at(socket), CompletableFuture.completedFuture(driver), () -> Map.of("net3", "my-net"));
    }

    private Driver driver() throws IOException {
        return new Driver(
                new Host(host.namespace(), host.route(), folder.resolve("netns"), PORT),
                new Encryption(Xfrm.in(host.namespace()), PORT, EspProbe::check),
                new FirewallDetector(Firewall.Backend.IPTABLES, host.namespace(), List.of()),
                new StateStore(folder, folder, Optional.empty()),
                Duration.ZERO,
                listener -> new Cluster(
                        new ClusterSettings(
                                folder.resolve("no-swarm"), folder.resolve("no-state.json"), 4788, Duration.ofHours(12), 0, Optional.empty(), Optional.empty()),
                        listener));
    }

    @AfterEach
    void stop() throws IOException {
        server.close();
        driver.close();
        try (Stream<Path> pins = Files.exists(folder.resolve("netns")) ? Files.list(folder.resolve("netns")) : Stream.of()) {
            for (Path pin : pins.toList()) {
                io.vxseal.kernel.netns.Namespace.unpin(pin);
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
    void restrictsSocketToOwner() throws IOException {
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(folder.resolve("vxseal.sock"))))
                .isEqualTo("rw-------");
    }

    @Test
    void activatesAsNetworkDriver() throws IOException {
        assertThat(engine.post("/Plugin.Activate", "").body().path("Implements").get(0).asText())
                .isEqualTo("NetworkDriver");
        Answer capabilities = engine.call("GetCapabilities", "");
        assertThat(capabilities.body().path("Scope").asText()).isEqualTo("global");
        assertThat(capabilities.body().path("ConnectivityScope").asText()).isEqualTo("global");
    }

    /** 20.10 sends it so. */
    @Test
    void acceptsBlankHostHeader() throws IOException {
        assertThat(engine.postAs("", "/Plugin.Activate", "").status()).isEqualTo(200);
    }

    @Test
    void answersUnknownMethodWith404() throws IOException {
        Answer answer = engine.call("Frobnicate", "{}");
        assertThat(answer.status()).isEqualTo(404);
        assertThat(answer.error()).contains("Frobnicate");
    }

    @Test
    void rejectsBodyOverOneMebibyte() throws IOException {
        Answer answer = engine.call("CreateNetwork", "{'NetworkID':'" + "a".repeat(1 << 20) + "'}");
        assertThat(answer.status()).isEqualTo(413);
        assertThat(answer.error()).contains("1 MiB");
    }

    @ParameterizedTest
    @ValueSource(strings = {"{", "[1", "nonsense", "{} {}"})
    void rejectsMalformedJson(String body) throws IOException {
        Answer answer = engine.call("CreateNetwork", body);
        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.error()).isNotEmpty();
    }

    /** The engine's own retry is such a call, and only the plugin's log and status say that it failed. */
    @Test
    void rejectsACallWithoutBodyAndRecordsIt() throws IOException {
        Answer answer = engine.post("/NetworkDriver.AllocateNetwork", "");
        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.error()).contains("no body", "call again");
        assertThat(engine.get("/status", "application/json").body().path("errors").toString()).contains("AllocateNetwork", "no body");
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
    void rejectsWrongNetworkFieldNamingIt(String right, String wrong, String named) throws IOException {
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
    void rejectsWrongEndpointFieldNamingIt(String network, String address, String mac, String named)
            throws IOException {
        done("CreateNetwork", PLAIN);
        Answer answer = engine.call("CreateEndpoint", ENDPOINT.formatted(network, address, mac));
        assertThat(answer.status()).as(answer.error()).isEqualTo(400);
        assertThat(answer.error()).contains(named);
        assertThat(engine.call("DeleteEndpoint", BOTH.formatted("net1")).error()).contains("no such endpoint");
    }

    @Test
    void rejectsJoinOfUnknownEndpoint() throws IOException {
        done("CreateNetwork", PLAIN);
        done("DiscoverNew", SELF);
        assertThat(engine.call("Join", JOIN.formatted("net1")).error()).contains("EndpointID").contains("5b78aabbccdd");
    }

    @Test
    void allocationReturnsAllOptionsAndVnis() throws IOException {
        String request = "{'NetworkID':'%s','Options':{'encrypted':'','foo':'bar'},'IPv4Data':"
                + "[{'AddressSpace':'','Gateway':'10.44.0.1/24','Pool':'10.44.0.0/24'}],'IPv6Data':null}";
        var options = engine.call("AllocateNetwork", request.formatted("a")).body().path("Options");
        assertThat(options.path("foo").asText()).isEqualTo("bar");
        assertThat(options.has("encrypted")).isTrue();
        String list = "com.docker.network.driver.overlay.vxlanid_list";
        assertThat(options.path(list).asText()).isEqualTo("8388608");

        String taken = request.replace("'foo':'bar'", "'" + list + "':'8388608'").formatted("b");
        Answer clash = engine.call("AllocateNetwork", taken);
        assertThat(clash.status()).isEqualTo(409);
        assertThat(clash.error()).contains("8388608");
        done("FreeNetwork", "{'NetworkID':'a'}");
        done("AllocateNetwork", taken);
    }

    @Test
    void endpointLeavesNothingBehind() throws IOException {
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

    /** So the engine does when the plugin was killed before it could answer. */
    @Test
    void answersRepeatedCallTheSame() throws IOException {
        done("DiscoverNew", SELF);
        done("CreateNetwork", PLAIN);
        String create = ENDPOINT.formatted("net1", "10.44.0.2/24", "");
        assertThat(engine.call("CreateEndpoint", create).body()).isEqualTo(engine.call("CreateEndpoint", create).body());
        assertThat(engine.call("CreateEndpoint", create.replace("0.2/24", "0.3/24")).status()).isEqualTo(409);
        assertThat(engine.call("CreateEndpoint", create.replace("'MacAddress':''", "'MacAddress':'02:11:22:33:44:55'")).status())
                .isEqualTo(409);

        JsonNode joined = engine.call("Join", JOIN.formatted("net1")).body();
        String once = everything();
        assertThat(engine.call("Join", JOIN.formatted("net1")).body()).isEqualTo(joined);
        assertThat(withoutIndices(everything())).isEqualTo(withoutIndices(once));

        // The engine moves the container's end into the container and names it there.
        host.run("ip link set " + joined.path("InterfaceName").path("SrcName").asText() + " name eth0");
        Answer late = engine.call("Join", JOIN.formatted("net1"));
        assertThat(late.status()).isEqualTo(409);
        assertThat(late.error()).contains("joined network net1 already");
    }

    /** Returns a listing of links without the numbers that the kernel assigns. */
    private static String withoutIndices(String everything) {
        return everything.replaceAll("@if\\d+|link-netnsid \\d+", "");
    }

    @Test
    void recoversFromKillInTheMiddleOfJoin() throws Exception {
        String before = everything();
        done("DiscoverNew", SELF);
        done("CreateNetwork", PLAIN);
        done("CreateEndpoint", ENDPOINT.formatted("net1", "10.44.0.2/24", ""));
        byte[] inTheMiddle = Files.readAllBytes(folder.resolve("endpoints.json"));
        done("Join", JOIN.formatted("net1"));
        killedWith(inTheMiddle);
        driver.repair();

        assertThat(everything()).isEqualTo(before);
        assertThat(pins()).isEmpty();
    }

    /** Killed once the container's link was gone, or at the very end; the engine, which got no answer, calls again. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void completesRepeatedLeaveAfterKill(boolean atItsEnd) throws Exception {
        String before = everything();
        done("DiscoverNew", SELF);
        done("CreateNetwork", PLAIN);
        done("CreateEndpoint", ENDPOINT.formatted("net1", "10.44.0.2/24", ""));
        Answer joined = engine.call("Join", JOIN.formatted("net1"));
        byte[] inTheMiddle = Files.readAllBytes(folder.resolve("endpoints.json"));
        if (atItsEnd) {
            done("Leave", BOTH.formatted("net1"));
        } else {
            host.run("ip link delete " + joined.body().path("InterfaceName").path("SrcName").asText());
        }
        killedWith(inTheMiddle);

        done("Leave", BOTH.formatted("net1"));
        done("DeleteEndpoint", BOTH.formatted("net1"));
        done("DeleteNetwork", "{'NetworkID':'net1'}");
        assertThat(everything()).isEqualTo(before);
        assertThat(pins()).isEmpty();
    }

    /** Starts again with the endpoints that were written down at the moment of the kill. */
    private void killedWith(byte[] endpoints) throws Exception {
        server.close();
        driver.close();
        Files.write(folder.resolve("endpoints.json"), endpoints);
        driver = driver();
        driver.recover();
        server = PluginServer.start(PluginSocket.at(folder.resolve("vxseal.sock")), CompletableFuture.completedFuture(driver));
        done("DiscoverNew", SELF);
    }

    @Test
    void usesGivenMacWithoutReturningIt() throws IOException {
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
    void givesEachSubnetAVniAndRoutesToTheOthers() throws IOException {
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
    void rejectsAnotherDefinitionOfNetworkInUse() throws IOException {
        done("CreateNetwork", PLAIN);
        done("CreateNetwork", PLAIN);
        done("DiscoverNew", SELF);
        done("CreateEndpoint", ENDPOINT.formatted("net1", "10.44.0.2/24", ""));
        done("Join", JOIN.formatted("net1"));
        Answer other = engine.call("CreateNetwork", PLAIN.replace("'4242'", "'4243'"));
        assertThat(other.status()).isEqualTo(409);
        assertThat(engine.call("CreateNetwork", PLAIN.replace("net1", "net9")).error()).contains("4242").contains("net1");
        done("Leave", BOTH.formatted("net1"));
        done("CreateNetwork", PLAIN.replace("'4242'", "'4243'"));
    }

    @Test
    void encryptedJoinWithoutKeysLeavesNothingBehind() throws IOException {
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
    @Tag("esp")
    @ParameterizedTest
    @ValueSource(ints = {2, 3})
    void acceptsKeysOfBothNumberingsAndProtectsNetwork(int type) throws IOException {
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
        assertThat(host.run("ip xfrm policy")).contains("action block").contains("mark 0x76d0c4e3/0xffffffff");
        assertThat(host.run("iptables-save").lines().filter(l -> l.startsWith("-A")))
                .hasSize(9)
                .anyMatch(rule -> rule.startsWith("-A INPUT") && rule.endsWith("VXSEAL-INPUT"))
                .anyMatch(rule -> rule.startsWith("-A OUTPUT") && rule.endsWith("VXSEAL-OUTPUT"))
                .anyMatch(rule -> rule.startsWith("-A VXSEAL-INPUT") && rule.contains("bpf") && rule.endsWith("DROP"))
                .anyMatch(rule -> rule.startsWith("-A VXSEAL-OUTPUT") && rule.contains("bpf") && rule.endsWith("DROP"))
                .anyMatch(rule -> rule.startsWith("-A VXSEAL-OUTPUT") && rule.endsWith("--socket-exists -j DROP"));

        done("Leave", BOTH.formatted("net2"));
        done("DeleteEndpoint", BOTH.formatted("net2"));
        done("DeleteNetwork", "{'NetworkID':'net2'}");
        assertThat(everything()).isEqualTo(before);
        assertThat(pins()).isEmpty();
    }

    @Test
    void encryptedJoinWithoutEspLeavesNothingBehind() throws IOException {
        Assumptions.assumeTrue(
                host.failure("ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1000 mode transport aead"
                                + " rfc4106(gcm(aes)) 0x000102030405060708090a0b0c0d0e0f10111213 64")
                        .isPresent(),
                "this kernel has ESP with AES-GCM; test-e2e's InjectionTest takes it from one");
        String before = everything();
        done("DiscoverNew", SELF);
        done("DiscoverNew", KEYS.formatted(2));
        done("CreateNetwork", ENCRYPTED);
        done("CreateEndpoint", ENDPOINT.formatted("net2", "10.44.0.2/24", ""));
        Answer refused = engine.call("Join", JOIN.formatted("net2"));
        assertThat(refused.status()).isEqualTo(500);
        assertThat(refused.error()).contains("could not join network net2", "the kernel lacks", "modprobe");
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
    void rejectsWrongDiscoveryWithoutShowingKeys(String data, String named) throws IOException {
        done("DiscoverNew", KEYS.formatted(2));
        Answer answer = engine.call("DiscoverNew", "{'DiscoveryType':3,'DiscoveryData':" + data + "}");
        assertThat(answer.status()).as(answer.error()).isEqualTo(400);
        assertThat(answer.error()).contains(named).doesNotContain("MDEy").doesNotContain("!!");
    }

    @Test
    void statusShowsNetworksEndpointsAndKernel() throws Exception {
        done("DiscoverNew", SELF);
        done("CreateNetwork", TWO_SUBNETS);
        done("CreateEndpoint", ENDPOINT.formatted("net3", "10.46.0.2/24", ""));
        done("Join", JOIN.formatted("net3"));
        added(new Peer(
                "net3", "there", Cidr.parse("10.45.0.9/24"), MacAddress.parse("02:42:0a:2d:00:09"),
                InetAddress.ofLiteral("10.55.0.2")));
        driver.repair();

        Answer answer = engine.get("/status", "*/*");
        assertThat(answer.status()).isEqualTo(200);
        assertThat(answer.head()).contains("application/json");
        JsonNode status = answer.body();
        assertThat(status.path("version").asText()).isNotEmpty();
        assertThat(Instant.parse(status.path("time").asText())).isBefore(Instant.now());
        assertThat(status.path("node").path("address").asText()).isEqualTo("10.55.0.1");
        assertThat(status.path("cluster").path("members").isArray()).isTrue();
        assertThat(status.has("ring")).isFalse();
        JsonNode network = status.path("networks").path(0);
        assertThat(network.path("id").asText()).isEqualTo("net3");
        assertThat(network.path("name").asText()).isEqualTo("my-net");
        assertThat(network.path("up").asBoolean()).isTrue();
        assertThat(network.path("encrypted").asBoolean()).isFalse();
        assertThat(network.path("subnets").findValuesAsText("vni")).containsExactly("4244", "4245");
        assertThat(network.path("endpoints").findValuesAsText("address")).containsExactly("10.46.0.2/24", "10.45.0.9/24");
        assertThat(network.path("endpoints").findValuesAsText("node")).containsExactly("10.55.0.1", "10.55.0.2");
        assertThat(network.path("endpoints").findValuesAsText("here")).containsExactly("true", "false");
        assertThat(status.path("ipsec").path("statesFound").asInt(-1)).isZero();
        assertThat(status.path("firewall").asText()).matches("iptables.*|nftables");
        assertThat(status.path("repairs").path("links").asInt(-1)).isZero();
        JsonNode join = status.path("calls").path("Join");
        assertThat(join.path("count").asInt()).isEqualTo(1);
        assertThat(join.path("meanMillis").asDouble()).isPositive().isEqualTo(join.path("slowestMillis").asDouble());
        assertThat(status.path("errors")).isEmpty();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "text/plain | text/plain",
                "text/plain;q=0.9, */*;q=0.1 | text/plain",
                "application/json, text/plain | application/json",
                "image/png | application/json",
                "nonsense | application/json"
            })
    void statusIsATextTableIfTextIsAccepted(String accept, String type) throws IOException {
        done("CreateNetwork", PLAIN);
        Answer answer = engine.get("/status", accept);
        assertThat(answer.status()).isEqualTo(200);
        assertThat(answer.head()).contains("Content-Type: " + type);
        assertThat(answer.text()).contains("net1");
    }

    @Test
    void statusShowsRefusalsAndTheirCount() throws IOException {
        done("DiscoverNew", SELF);
        done("CreateNetwork", ENCRYPTED);
        done("CreateEndpoint", ENDPOINT.formatted("net2", "10.44.0.2/24", ""));
        engine.call("Join", JOIN.formatted("net2"));
        engine.call("DeleteNetwork", "{'NetworkID':'other'}");
        engine.call("Join", JOIN.formatted("net2"));
        JsonNode errors = engine.get("/status", "application/json").body().path("errors");
        assertThat(errors.findValuesAsText("where"))
                .containsExactly("/NetworkDriver.Join", "/NetworkDriver.DeleteNetwork");
        assertThat(errors.findValuesAsText("times")).containsExactly("2", "1");
        assertThat(errors.path(0).path("error").asText()).contains("encryption key is not present");
        assertThat(engine.get("/status", "text/plain").text()).contains("encryption key is not present");
    }

    @Test
    void statusShowsTagsButNoKeysAndRefusesRotation() throws Exception {
        assertThat(engine.post("/keys/rotate", "").status()).isEqualTo(409);
        done("DiscoverNew", KEYS.formatted(2).replace("[1,2,3]", "[4294967295,2,3]"));
        await("a ring").until(() -> engine.get("/status", "").body().has("ring"));
        Answer status = engine.get("/status", "");
        JsonNode ring = status.body().path("ring");
        assertThat(ring.path("fromEngine").asBoolean()).isTrue();
        assertThat(ring.path("keys").findValuesAsText("tag")).containsExactly("4294967295", "2", "3");
        assertThat(ring.path("keys").findValuesAsText("primary")).containsExactly("true", "false", "false");
        assertThat(ring.path("keys").path(0).path("knownSeconds").asLong(-1)).isNotNegative();
        for (String answer : List.of(status.text(), engine.get("/status", "text/plain").text())) {
            // A key as it came, as its octets are written, and as they are read.
            assertThat(answer).contains("4294967295").doesNotContain("MDEy", "3031", "0123456789abcdef");
        }
        Answer refused = engine.post("/keys/rotate", "");
        assertThat(refused.status()).isEqualTo(409);
        assertThat(refused.error()).contains("engine");
    }

    @Test
    void rejectsWrongHttpMethodInDockersForm() throws IOException {
        Answer rotate = engine.get("/keys/rotate", "application/json");
        assertThat(rotate.status()).isEqualTo(405);
        assertThat(rotate.error()).isEqualTo("/keys/rotate does not accept GET: want POST");
        assertThat(rotate.head()).contains("Allow: POST");
        assertThat(engine.post("/status", "").status()).isEqualTo(405);
        Answer unknown = engine.get("/state", "application/json");
        assertThat(unknown.status()).isEqualTo(404);
        assertThat(unknown.error()).contains("/state");
    }

    @Tag("esp")
    @Test
    void statusShowsStatesWantedAndFound() throws Exception {
        done("DiscoverNew", SELF);
        done("DiscoverNew", KEYS.formatted(2));
        done("CreateNetwork", ENCRYPTED);
        done("CreateEndpoint", ENDPOINT.formatted("net2", "10.44.0.2/24", ""));
        done("Join", JOIN.formatted("net2"));
        added(new Peer(
                "net2", "there", Cidr.parse("10.44.0.9/24"), MacAddress.parse("02:42:0a:2c:00:09"),
                InetAddress.ofLiteral("10.55.0.2")));
        assertThat(engine.get("/status", "").body().path("ipsec").toString())
                .isEqualTo("{\"statesWanted\":4,\"statesFound\":4,\"policiesWanted\":2,\"policiesFound\":2}");
        host.run("ip xfrm state flush");
        host.run("ip xfrm policy flush");
        assertThat(engine.get("/status", "").body().path("ipsec").toString())
                .isEqualTo("{\"statesWanted\":4,\"statesFound\":0,\"policiesWanted\":2,\"policiesFound\":0}");
        driver.repair();
        JsonNode status = engine.get("/status", "").body();
        assertThat(status.path("ipsec").path("statesFound").asInt()).isEqualTo(4);
        assertThat(status.path("repairs").path("statesAndPolicies").asInt()).isEqualTo(6);
    }

    private void added(Peer peer) {
        driver.peersChanged(List.of(new PeerChange.Added(peer)));
    }
}
