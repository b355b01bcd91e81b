package io.vxseal.kernel.netlink;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.libc.Errno;
import io.vxseal.kernel.libc.KernelException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tests of the kernel's answers to batches and dumps. */
class NetlinkSocketTest {
    // linux/rtnetlink.h, linux/if_link.h
    private static final int RTM_NEWLINK = 16;
    private static final int RTM_DELLINK = 17;
    private static final int RTM_GETLINK = 18;
    private static final int RTM_SETLINK = 19;
    private static final int IFLA_LINKINFO = 18;
    private static final int IFLA_INFO_KIND = 1;
    private static final int IFINFOMSG_INDEX = 4;
    private static final int IFINFOMSG_REST = 8;
    private static final int LOOPBACK = 1;
    private static final int ABSENT = 4711;

    /** Receive buffer in octets; the kernel rounds it up to its minimum, which has room for a few answers. */
    private static final int LEAST = 1;

    @TempDir
    Path folder;

    private TestHost host;

    @BeforeEach
    void open() throws Exception {
        host = new TestHost(folder.resolve("host"));
    }

    @AfterEach
    void close() throws Exception {
        host.close();
    }

    @Test
    void exchangeAssignsRefusalsToTheirRequests() throws Exception {
        try (NetlinkSocket socket = NetlinkSocket.open(host.namespace, NetlinkDescriptor.NETLINK_ROUTE)) {
            // Over the end of one batch into the next; refused: the first, one amid, the last of a batch, the last.
            int requests = Batch.MAX_MESSAGES + 10;
            List<Integer> refused = List.of(0, 7, Batch.MAX_MESSAGES - 1, requests - 1);

            List<NetlinkAnswer> answers = socket.exchange(
                    IntStream.range(0, requests).boxed().toList(),
                    (batch, n) -> {
                        if (refused.contains(n)) {
                            removal(batch);
                        } else {
                            touch(batch);
                        }
                    });

            assertThat(answers).hasSize(requests);
            assertThat(IntStream.range(0, requests).filter(n -> !answers.get(n).done()).boxed()).isEqualTo(refused);
            assertThat(refused).allSatisfy(n -> assertThat(answers.get(n).errno()).isEqualTo(Errno.ENODEV));
        }
    }

    /** The kernel drops answers that do not fit the socket's buffer, including refusals. */
    @Test
    void missingAnswersAreUnknownAfterOverrun() throws Exception {
        try (NetlinkSocket socket = NetlinkSocket.open(host.namespace, NetlinkDescriptor.NETLINK_ROUTE, LEAST)) {
            List<Integer> full = IntStream.range(0, Batch.MAX_MESSAGES).boxed().toList();

            List<NetlinkAnswer> answers = socket.exchange(full, (batch, _) -> removal(batch));

            assertThat(answers).extracting(NetlinkAnswer::errno)
                    .hasSize(full.size()).startsWith(Errno.ENODEV).endsWith(Errno.ENOBUFS)
                    .containsOnly(Errno.ENODEV, Errno.ENOBUFS);
            assertThat(socket.exchange(full, (batch, _) -> touch(batch))).as("that many without a refusal have room")
                    .hasSize(full.size()).allMatch(NetlinkAnswer::done);
        }
    }

    /** Enough links for a list in several parts: the kernel notices a change between two of them. */
    @Test
    void dumpFailsIfListChangesInEveryAttempt() throws Exception {
        host.run(List.of("bash", "-c",
                "for n in $(seq 200); do echo link add old$n type bridge; done | ip -batch -"));
        AtomicBoolean changing = new AtomicBoolean(true);
        try (NetlinkSocket socket = NetlinkSocket.open(host.namespace, NetlinkDescriptor.NETLINK_ROUTE);
                NetlinkSocket other = NetlinkSocket.open(host.namespace, NetlinkDescriptor.NETLINK_ROUTE)) {
            NetlinkSocket.Reader<Integer> reader = (_, payload) -> {
                int index = payload.getInt(IFINFOMSG_INDEX);
                if (changing.get() && index == LOOPBACK) {
                    addLink(other);
                }
                return Optional.of(index);
            };
            assertThatThrownBy(() -> socket.dump("list links", NetlinkSocketTest::links, reader))
                    .isInstanceOf(KernelException.class)
                    .hasMessage("list links: the kernel's list changed each of 8 times that it was read");

            changing.set(false);
            assertThat(socket.dump("list links", NetlinkSocketTest::links, reader))
                    .hasSameSizeAs(host.run("ip -o link").lines().toList())
                    .doesNotHaveDuplicates();
        }
    }

    /** Adds a link whose name the kernel chooses. */
    private static void addLink(NetlinkSocket socket) {
        try {
            socket.request("add link", batch -> batch.add(RTM_NEWLINK, NetlinkMessage.NLM_F_CREATE)
                    .zeros(IFINFOMSG_INDEX + Integer.BYTES + IFINFOMSG_REST)
                    .attribute(IFLA_LINKINFO, info -> info.attribute(IFLA_INFO_KIND, kind ->
                            kind.octets("bridge".getBytes(StandardCharsets.UTF_8)))));
        } catch (KernelException refused) {
            throw new AssertionError(refused);
        }
    }

    private static void links(Batch batch) {
        batch.add(RTM_GETLINK, NetlinkMessage.NLM_F_DUMP).zeros(IFINFOMSG_INDEX + Integer.BYTES + IFINFOMSG_REST);
    }

    private static void removal(Batch batch) {
        batch.add(RTM_DELLINK, 0).zeros(IFINFOMSG_INDEX).u32(ABSENT).zeros(IFINFOMSG_REST);
    }

    /** Writes a request that changes nothing and succeeds. */
    private static void touch(Batch batch) {
        batch.add(RTM_SETLINK, 0).zeros(IFINFOMSG_INDEX).u32(LOOPBACK).zeros(IFINFOMSG_REST);
    }
}
