package io.vxseal.services;

import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netns.Namespace;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.xbill.DNS.ARecord;
import org.xbill.DNS.DClass;
import org.xbill.DNS.Flags;
import org.xbill.DNS.Message;
import org.xbill.DNS.Name;
import org.xbill.DNS.OPTRecord;
import org.xbill.DNS.PTRRecord;
import org.xbill.DNS.Record;
import org.xbill.DNS.ReverseMap;
import org.xbill.DNS.Section;
import org.xbill.DNS.TextParseException;
import org.xbill.DNS.Type;

/**
 * The engine's name server, as the processes in a container's network namespace reach it: over one connected UDP socket, and TCP for
 * an answer that was truncated.
 *
 * <p>An open one keeps the namespace from ending.
 */
final class NameServer implements AutoCloseable {
    /** Where the engine answers in each container on a network of a user (moby, libnetwork's resolverIPSandbox). */
    private static final InetSocketAddress ADDRESS = new InetSocketAddress(InetAddress.ofLiteral("127.0.0.11"), 53);

    /** Octets of an answer that fits a datagram (EDNS, RFC 6891): the addresses of 200 tasks. */
    private static final int MAX_DATAGRAM = 4096;

    /** Time for a whole answer over TCP. The server is on this host. */
    private static final Duration TCP_TIMEOUT = Duration.ofMillis(500);

    private final Namespace namespace;
    private final InetSocketAddress address;
    private final DatagramChannel channel;
    private final ByteBuffer received = ByteBuffer.allocate(MAX_DATAGRAM);

    /**
     * An answer.
     *
     * @param id of the question
     * @param truncated whether it has to be asked for over TCP
     * @param names in a PTR answer; none if there is no such name, or the server could not find out
     * @param addresses in an A answer, likewise
     */
    record Answer(int id, boolean truncated, List<String> names, List<InetAddress> addresses) {
        /** A datagram that is no answer, and so none to any question. */
        private static final Answer MALFORMED = new Answer(-1, false, List.of(), List.of());
    }

    private NameServer(Namespace namespace, InetSocketAddress address, DatagramChannel channel) {
        this.namespace = namespace;
        this.address = address;
        this.channel = channel;
    }

    /**
     * Opens a socket in a container's network namespace.
     *
     * @param namespace must stay open as long as the name server is used
     * @param attachment of the key that the selector returns
     */
    static NameServer open(Namespace namespace, Selector selector, Object attachment) throws IOException {
        return open(namespace, ADDRESS, selector, attachment);
    }

    static NameServer open(Namespace namespace, InetSocketAddress address, Selector selector, Object attachment) throws IOException {
        var opened = new Object() {
            @Nullable DatagramChannel channel;
        };
        namespace.within(() -> {
            try {
                opened.channel = DatagramChannel.open();
            } catch (IOException failure) {
                throw new KernelException("open a UDP socket", 0, failure.toString());
            }
            return 0;
        });
        DatagramChannel channel = opened.channel;
        if (channel == null) {
            throw new IOException("no UDP socket");
        }
        try {
            channel.configureBlocking(false);
            channel.connect(address);
            channel.register(selector, SelectionKey.OP_READ, attachment);
        } catch (IOException failure) {
            channel.close();
            throw failure;
        }
        return new NameServer(namespace, address, channel);
    }

    /** Sends a question. Only fully qualified names are asked for. */
    void ask(int id, Question question) throws IOException {
        channel.write(ByteBuffer.wrap(message(id, question)));
    }

    private static byte[] message(int id, Question question) throws TextParseException {
        Record asked = switch (question) {
            case Question.NameOf it -> Record.newRecord(ReverseMap.fromAddress(it.address()), Type.PTR, DClass.IN);
            case Question.AddressesOf it -> Record.newRecord(Name.fromString(it.service() + "."), Type.A, DClass.IN);
            case Question.TasksOf it -> Record.newRecord(Name.fromString("tasks." + it.service() + "."), Type.A, DClass.IN);
        };
        Message message = Message.newQuery(asked);
        message.getHeader().setID(id);
        message.addRecord(new OPTRecord(MAX_DATAGRAM, 0, 0), Section.ADDITIONAL);
        return message.toWire();
    }

    /**
     * Returns an answer that has arrived; empty if there is none.
     *
     * @throws IOException if the server does not listen, or is not reached
     */
    Optional<Answer> receive() throws IOException {
        received.clear();
        if (channel.read(received) <= 0) {
            return Optional.empty();
        }
        byte[] octets = new byte[received.flip().remaining()];
        received.get(octets);
        try {
            return Optional.of(read(new Message(octets)));
        } catch (IOException malformed) {
            return Optional.of(Answer.MALFORMED);
        }
    }

    private static Answer read(Message message) {
        List<String> names = new ArrayList<>();
        List<InetAddress> addresses = new ArrayList<>();
        for (Record record : message.getSection(Section.ANSWER)) {
            switch (record) {
                case PTRRecord pointer -> names.add(pointer.getTarget().toString(true));
                case ARecord a -> addresses.add(a.getAddress());
                default -> { }
            }
        }
        return new Answer(message.getHeader().getID(), message.getHeader().getFlag(Flags.TC), names, addresses);
    }

    /**
     * Asks a question whose answer did not fit a datagram.
     *
     * @throws IOException also if the answer takes too long, whatever arrives of it: a container may send in the server's place
     */
    Answer askByTcp(int id, Question question) throws IOException {
        long end = System.nanoTime() + TCP_TIMEOUT.toNanos();
        var opened = new Object() {
            @Nullable SocketChannel channel;
        };
        namespace.within(() -> {
            try {
                opened.channel = SocketChannel.open();
            } catch (IOException failure) {
                throw new KernelException("open a TCP socket", 0, failure.toString());
            }
            return 0;
        });
        if (opened.channel == null) {
            throw new IOException("no TCP socket");
        }
        try (Socket socket = opened.channel.socket()) {
            socket.connect(address, millisUntil(end));
            byte[] octets = message(id, question);
            socket.getOutputStream().write(ByteBuffer.allocate(2 + octets.length).putShort((short) octets.length).put(octets).array());
            byte[] length = read(socket, 2, end);
            return read(new Message(read(socket, Short.toUnsignedInt(ByteBuffer.wrap(length).getShort()), end)));
        }
    }

    private static byte[] read(Socket socket, int length, long end) throws IOException {
        byte[] octets = new byte[length];
        for (int read = 0; read < length; ) {
            socket.setSoTimeout(millisUntil(end));
            int some = socket.getInputStream().read(octets, read, length - read);
            if (some < 0) {
                throw new EOFException("an answer over TCP ends early");
            }
            read += some;
        }
        return octets;
    }

    private static int millisUntil(long end) throws SocketTimeoutException {
        int left = (int) Duration.ofNanos(end - System.nanoTime()).toMillis();
        if (left <= 0) {
            throw new SocketTimeoutException("an answer over TCP takes too long");
        }
        return left;
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException failure) {
            // A socket without unsent data has nothing to lose.
        }
    }
}
