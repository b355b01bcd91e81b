package io.vxseal.services;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.vxseal.address.Cidr;
import io.vxseal.kernel.TestHost;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.xbill.DNS.Flags;
import org.xbill.DNS.Message;
import org.xbill.DNS.Section;

/**
 * Containers that answer in the engine's name, which takes CAP_NET_RAW, and name servers outside, to which the engine forwards. The
 * other containers of the network keep their services, and the driver's calls return.
 */
class ForgedAnswersTest {
    private static final String NETWORK = "x1tn53m6e8ylk0oz4cdq7vbw2";
    private static final String TASK = "abcdefghijklmnopqrstuvwxy";
    private static final InetSocketAddress ENGINE = new InetSocketAddress(InetAddress.ofLiteral("127.0.0.11"), 53);

    @TempDir
    Path folder;

    private final List<AutoCloseable> opened = new ArrayList<>();
    private ServiceProxy proxy;

    private static InetAddress address(int last) {
        return InetAddress.ofLiteral("10.0.1." + last);
    }

    @BeforeEach
    void open() throws Exception {
        Files.createDirectories(folder.resolve("netns"));
        proxy = opened(new ServiceProxy(folder.resolve("netns"), folder.resolve("services.json"), (_, _) -> {}));
        proxy.up(NETWORK, List.of(Cidr.parse("10.0.0.0/16")), List.of(address(1)), Map.of());
        proxy.start();
        proxy.change(NETWORK, List.of(), Map.of(address(2), "a", address(3), "b"));
    }

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable some : opened.reversed()) {
            some.close();
        }
    }

    private <T extends AutoCloseable> T opened(T some) {
        opened.add(some);
        return some;
    }

    private TestHost container(String name) throws Exception {
        return opened(new TestHost(folder.resolve("netns").resolve(name)));
    }

    /** Starts a name server that knows a service of one task. */
    private EngineNames honest(TestHost container) throws Exception {
        EngineNames names = opened(new EngineNames(container));
        names.setName(address(3), "web.1." + TASK + ".my.net");
        names.set("web.my.net", List.of(address(9)));
        names.set("tasks.web.my.net", List.of(address(3)));
        return names;
    }

    /** Answers a question as a container that sees it. */
    @FunctionalInterface
    private interface Forger {
        void answer(DatagramChannel socket, SocketAddress plugin, Message question) throws Exception;
    }

    private void forging(TestHost container, Forger forger) throws Exception {
        DatagramChannel socket = opened(container.within(() -> DatagramChannel.open().bind(ENGINE)));
        Thread.ofPlatform().daemon().start(() -> {
            try {
                ByteBuffer received = ByteBuffer.allocate(4096);
                while (true) {
                    SocketAddress plugin = socket.receive(received.clear());
                    byte[] octets = new byte[received.flip().remaining()];
                    received.get(octets);
                    forger.answer(socket, plugin, new Message(octets));
                }
            } catch (Exception closed) {
                // the test has ended
            }
        });
    }

    private static ByteBuffer truncated(int id, Message question) {
        Message answer = new Message(id);
        answer.getHeader().setFlag(Flags.QR);
        answer.getHeader().setFlag(Flags.TC);
        answer.addRecord(question.getQuestion(), Section.QUESTION);
        return ByteBuffer.wrap(answer.toWire());
    }

    /** Starts a server of TCP connections in which one octet of an answer of 64 KiB comes at a time. */
    private void trickling(TestHost container) throws Exception {
        ServerSocket server = opened(container.within(() -> new ServerSocket(ENGINE.getPort(), 500, ENGINE.getAddress())));
        Thread.ofPlatform().daemon().start(() -> {
            try {
                while (true) {
                    Socket client = server.accept();
                    Thread.ofPlatform().daemon().start(() -> {
                        try (client) {
                            client.getOutputStream().write(new byte[] {(byte) 0xff, (byte) 0xff});
                            while (true) {
                                client.getOutputStream().write(0);
                                Thread.sleep(100);
                            }
                        } catch (Exception closed) {
                            // the plugin has enough
                        }
                    });
                }
            } catch (Exception closed) {
                // the test has ended
            }
        });
    }

    private void assertThatCallsReturn() {
        assertThat(CompletableFuture.supplyAsync(() -> proxy.services())).succeedsWithin(Duration.ofSeconds(20));
    }

    private static void awaitRules(TestHost container, String wanted) {
        await().atMost(Duration.ofSeconds(30)).untilAsserted(() -> assertThat(container.run("nft list ruleset")).contains(wanted));
    }

    @Test
    void manyTruncatedAnswersDoNotHoldUpCalls() throws Exception {
        TestHost hostile = container("a");
        CountDownLatch sent = new CountDownLatch(1);
        trickling(hostile);
        forging(hostile, (socket, plugin, question) -> {
            for (int id = 0; id < 200; id++) {
                socket.send(truncated(id, question), plugin);
            }
            sent.countDown();
        });
        proxy.attach(NETWORK, "a", "a", false);
        assertThat(sent.await(20, TimeUnit.SECONDS)).isTrue();
        assertThatCallsReturn();
    }

    @Test
    void answerThatTricklesOverTcpDoesNotHoldUpCallsNorOtherContainers() throws Exception {
        TestHost hostile = container("a");
        CountDownLatch sent = new CountDownLatch(1);
        trickling(hostile);
        forging(hostile, (socket, plugin, question) -> {
            socket.send(truncated(question.getHeader().getID(), question), plugin);
            sent.countDown();
        });
        proxy.attach(NETWORK, "a", "a", false);
        assertThat(sent.await(20, TimeUnit.SECONDS)).isTrue();
        assertThatCallsReturn();
        TestHost other = container("b");
        honest(other);
        proxy.attach(NETWORK, "b", "b", false);
        awaitRules(other, "10.0.1.9 : goto v-10.0.1.9");
    }

    @Test
    void answersWithoutTheirQuestionDoNotKeepServicesFromOtherContainers() throws Exception {
        TestHost hostile = container("a");
        trickling(hostile);
        forging(hostile, (socket, plugin, question) -> {
            Message answer = new Message(question.getHeader().getID());
            answer.getHeader().setFlag(Flags.QR);
            answer.getHeader().setFlag(Flags.TC);
            for (int n = 0; n < 100; n++) {
                socket.send(ByteBuffer.wrap(answer.toWire()), plugin);
            }
        });
        proxy.attach(NETWORK, "a", "a", false);
        TestHost other = container("b");
        honest(other);
        proxy.attach(NETWORK, "b", "b", false);
        awaitRules(other, "10.0.1.9 : goto v-10.0.1.9");
    }

    /** A label of DNS may contain a dot. Names taken apart and put together again may be too long to ask for. */
    @Test
    void nameThatCannotBeAskedForDoesNotKeepFromAskingForOthers() throws Exception {
        TestHost container = container("b");
        EngineNames names = honest(container);
        names.setName(address(2), "a\\.1." + TASK + "." + "n".repeat(63) + ".net");
        proxy.attach(NETWORK, "b", "b", false);
        awaitRules(container, "10.0.1.9 : goto v-10.0.1.9");
    }
}
