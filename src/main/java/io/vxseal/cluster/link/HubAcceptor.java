package io.vxseal.cluster.link;

import io.vxseal.cluster.refusal.Refusal;
import io.vxseal.cluster.refusal.RefusalListener;
import java.io.Closeable;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.channels.SelectableChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Queue;
import org.eclipse.jetty.io.EndPoint;
import org.eclipse.jetty.io.SelectableChannelEndPoint;
import org.eclipse.jetty.io.ssl.SslHandshakeListener;
import org.eclipse.jetty.server.ConnectionFactory;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.util.IO;

/** Listening socket of a hub, with {@link Admission} before anything is read from a connection. */
final class HubAcceptor extends ServerConnector implements SslHandshakeListener {
    private static final int BACKLOG = 2048;

    /** Accepted connections that wait for a place, of known addresses and of others each. */
    private static final int MAX_WAITING = 2048;

    private final RefusalListener refusals;
    private final LinkTimes times;

    /** Guards itself and the maps below. */
    private final Admission admission;

    private final Map<SelectableChannel, Admission.Entry> entries = new HashMap<>();
    private final Map<Admission.Entry, Guest> guests = new HashMap<>();

    /** Connections that wait for a place. Those of known addresses have a queue of their own, lest they wait behind a flood of others. */
    private final Queue<Waiting> waitingKnown = new ArrayDeque<>();
    private final Queue<Waiting> waiting = new ArrayDeque<>();

    private record Waiting(InetAddress address, SocketChannel channel) {}

    /** A connection that was let in, and how it is closed: by its channel until there is an end point. */
    private record Guest(InetAddress address, SelectableChannel channel, Closeable closing) {}

    HubAcceptor(
            Server server,
            Admission.Limits limits,
            LinkTimes times,
            RefusalListener refusals,
            ConnectionFactory... factories) {
        super(server, null, null, null, 1, 1, factories);
        this.admission = new Admission(limits);
        this.times = times;
        this.refusals = refusals;
        setAcceptQueueSize(BACKLOG);
        setReuseAddress(true);
        // Sessions have their own keep-alive, connections before them a deadline.
        setIdleTimeout(0);
        addBean(this, false);
    }

    @Override
    public void accept(int acceptor) throws IOException {
        if (!(getTransport() instanceof ServerSocketChannel server) || !server.isOpen()) {
            return;
        }
        SocketChannel channel = server.accept();
        if (!(channel.getRemoteAddress() instanceof InetSocketAddress remote)) {
            IO.close(channel);
            return;
        }
        Waiting connection = new Waiting(remote.getAddress(), channel);
        Optional<Refusal> refused;
        synchronized (admission) {
            refused = enqueue(connection);
        }
        refused.ifPresent(reason -> refuse(connection, reason));
        admitWaiting();
    }

    private Optional<Refusal> enqueue(Waiting connection) {
        if (!admission.attempt(connection.address, System.nanoTime())) {
            return Optional.of(Refusal.CONNECTION_RATE);
        }
        Queue<Waiting> queue = admission.isKnown(connection.address) ? waitingKnown : waiting;
        if (queue.size() >= MAX_WAITING) {
            return Optional.of(Refusal.CONNECTIONS);
        }
        queue.add(connection);
        return Optional.empty();
    }

    /** Lets in the connections that wait, as long as there are places for them. */
    private void admitWaiting() {
        while (admitFirst(waitingKnown)) {
            // until there is none, or it has to wait
        }
        while (admitFirst(waiting)) {
            // likewise
        }
    }

    /** @return whether another one may be let in */
    private boolean admitFirst(Queue<Waiting> queue) {
        Waiting first;
        Admission.Answer answer;
        Optional<Guest> displaced = Optional.empty();
        synchronized (admission) {
            first = queue.peek();
            if (first == null) {
                return false;
            }
            answer = admission.enter(first.address, System.nanoTime());
            if (answer instanceof Admission.Answer.Wait) {
                return false;
            }
            queue.remove();
            if (answer instanceof Admission.Answer.Enter enter) {
                displaced = enter.displaced().map(this::remove);
                entries.put(first.channel, enter.entry());
                guests.put(enter.entry(), new Guest(first.address, first.channel, first.channel));
            }
        }
        displaced.ifPresent(guest -> close(guest, Refusal.DISPLACED));
        if (answer instanceof Admission.Answer.Refuse refuse) {
            refuse(first, refuse.reason());
        } else {
            handle(first.channel);
        }
        return true;
    }

    private void handle(SocketChannel channel) {
        try {
            channel.configureBlocking(false);
            channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
            getSelectorManager().accept(channel);
        } catch (IOException | RuntimeException e) {
            forget(channel);
            IO.close(channel);
        }
    }

    private void refuse(Waiting connection, Refusal reason) {
        refusals.refused(reason, connection.address.getHostAddress(), "connection");
        IO.close(connection.channel);
    }

    @Override
    protected void onEndPointOpened(EndPoint endPoint) {
        super.onEndPointOpened(endPoint);
        boolean displaced = false;
        SelectableChannel channel = channel(endPoint);
        synchronized (admission) {
            Admission.Entry entry = entries.get(channel);
            if (entry == null) {
                displaced = true;
            } else {
                guests.computeIfPresent(entry, (_, guest) -> new Guest(guest.address(), channel, endPoint));
            }
        }
        if (displaced) {
            endPoint.close();
        }
    }

    @Override
    protected void onEndPointClosed(EndPoint endPoint) {
        super.onEndPointClosed(endPoint);
        forget(channel(endPoint));
        admitWaiting();
    }

    /** Notes that a connection became a session of a node: its deadline is lifted. */
    void settle(EndPoint endPoint, String node) {
        synchronized (admission) {
            Admission.Entry entry = entries.get(channel(endPoint));
            if (entry != null) {
                admission.settle(entry, node, System.nanoTime());
            }
        }
        admitWaiting();
    }

    /** Closes the connections that did not become sessions in time, and lets others in that waited for long enough. */
    void tick() {
        List<Guest> late = new ArrayList<>();
        synchronized (admission) {
            for (Admission.Entry entry : admission.overdue(System.nanoTime(), times.handshake().toNanos(), times.patience().toNanos())) {
                late.add(remove(entry));
            }
        }
        late.forEach(guest -> close(guest, Refusal.DEADLINE));
        admitWaiting();
    }

    @Override
    protected void doStop() throws Exception {
        super.doStop();
        synchronized (admission) {
            waitingKnown.forEach(connection -> IO.close(connection.channel));
            waiting.forEach(connection -> IO.close(connection.channel));
            waitingKnown.clear();
            waiting.clear();
        }
    }

    @Override
    public void handshakeFailed(Event event, Throwable failure) {
        refusals.refused(Refusal.HANDSHAKE, String.valueOf(event.getSSLEngine().getPeerHost()), failure.getMessage());
    }

    private void forget(SelectableChannel channel) {
        synchronized (admission) {
            Admission.Entry entry = entries.get(channel);
            if (entry != null) {
                remove(entry);
            }
        }
    }

    private Guest remove(Admission.Entry entry) {
        admission.leave(entry);
        Guest guest = Objects.requireNonNull(guests.remove(entry), "an entry has a guest until it is removed");
        entries.remove(guest.channel());
        return guest;
    }

    private void close(Guest guest, Refusal reason) {
        refusals.refused(reason, guest.address().getHostAddress(), "connection");
        IO.close(guest.closing());
    }

    private static SelectableChannel channel(EndPoint endPoint) {
        EndPoint inner = endPoint;
        while (inner instanceof EndPoint.Wrapper wrapper) {
            inner = wrapper.unwrap();
        }
        return ((SelectableChannelEndPoint) inner).getChannel();
    }
}
