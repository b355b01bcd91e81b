package io.vxseal.services;

import io.vxseal.kernel.TestHost;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.xbill.DNS.ARecord;
import org.xbill.DNS.DClass;
import org.xbill.DNS.Flags;
import org.xbill.DNS.Message;
import org.xbill.DNS.Name;
import org.xbill.DNS.PTRRecord;
import org.xbill.DNS.Rcode;
import org.xbill.DNS.Record;
import org.xbill.DNS.ReverseMap;
import org.xbill.DNS.Section;
import org.xbill.DNS.Type;

/** A name server in a container's namespace, where the engine's is, over UDP and TCP. What it does not have it refuses as the engine does. */
public final class EngineNames implements AutoCloseable {
    private static final InetSocketAddress ADDRESS = new InetSocketAddress(InetAddress.ofLiteral("127.0.0.11"), 53);

    private final Map<String, List<InetAddress>> addresses = new ConcurrentHashMap<>();
    private final Map<Name, String> names = new ConcurrentHashMap<>();
    private volatile Runnable beforeName = () -> { };
    private final DatagramChannel datagrams;
    private final ServerSocket connections;

    /** Starts to answer in a namespace. */
    public EngineNames(TestHost container) throws IOException {
        datagrams = container.within(() -> DatagramChannel.open().bind(ADDRESS));
        connections = container.within(() -> new ServerSocket(ADDRESS.getPort(), 5, ADDRESS.getAddress()));
        Thread.ofPlatform().daemon().start(this::answerDatagrams);
        Thread.ofPlatform().daemon().start(this::answerConnections);
    }

    /** Sets a name's addresses; none removes the name. */
    public void set(String name, List<InetAddress> some) {
        if (some.isEmpty()) {
            addresses.remove(name + ".");
        } else {
            addresses.put(name + ".", some);
        }
    }

    /** Sets the name of an address. */
    public void setName(InetAddress address, String name) {
        names.put(ReverseMap.fromAddress(address), name);
    }

    /** Sets what is done before each answer to a question about an address' name. */
    public void beforeName(Runnable what) {
        beforeName = what;
    }

    private Message answer(byte[] octets) throws IOException {
        Message question = new Message(octets);
        Record asked = question.getQuestion();
        Message answer = new Message(question.getHeader().getID());
        answer.getHeader().setFlag(Flags.QR);
        answer.addRecord(asked, Section.QUESTION);
        if (asked.getType() == Type.PTR) {
            beforeName.run();
        }
        String name = names.get(asked.getName());
        if (asked.getType() == Type.PTR && name != null) {
            answer.addRecord(new PTRRecord(asked.getName(), DClass.IN, 600, Name.fromString(name + ".")), Section.ANSWER);
        }
        for (InetAddress address : addresses.getOrDefault(asked.getName().toString(), List.of())) {
            answer.addRecord(new ARecord(asked.getName(), DClass.IN, 600, address), Section.ANSWER);
        }
        if (answer.getSection(Section.ANSWER).isEmpty()) {
            answer.getHeader().setRcode(Rcode.SERVFAIL);
        }
        return answer;
    }

    private void answerDatagrams() {
        try {
            ByteBuffer received = ByteBuffer.allocate(4096);
            while (true) {
                SocketAddress client = datagrams.receive(received.clear());
                byte[] octets = new byte[received.flip().remaining()];
                received.get(octets);
                // Cuts an answer that is too long, and says so.
                datagrams.send(ByteBuffer.wrap(answer(octets).toWire(4096)), client);
            }
        } catch (IOException closed) {
            // the test has ended
        }
    }

    private void answerConnections() {
        try {
            while (true) {
                try (Socket client = connections.accept()) {
                    DataInputStream in = new DataInputStream(client.getInputStream());
                    byte[] octets = new byte[in.readUnsignedShort()];
                    in.readFully(octets);
                    byte[] answer = answer(octets).toWire();
                    client.getOutputStream().write(
                            ByteBuffer.allocate(2 + answer.length).putShort((short) answer.length).put(answer).array());
                }
            }
        } catch (IOException closed) {
            // the test has ended
        }
    }

    @Override
    public void close() throws IOException {
        datagrams.close();
        connections.close();
    }
}
