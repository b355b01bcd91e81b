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
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
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
    private static final long WAIT_MILLIS = 50;

    private final RefusalListener refusals;
    private final Duration deadline;

    /** Guards itself and the maps below. */
    private final Admission admission;

    private final Map<SelectableChannel, Admission.Entry> entries = new HashMap<>();
    private final Map<Admission.Entry, Guest> guests = new HashMap<>();

    /** A connection that was let in, and how it is closed: by its channel until there is an end point. */
    private record Guest(InetAddress address, SelectableChannel channel, Closeable closing) {}

    HubAcceptor(
            Server server,
            Admission.Limits limits,
            Duration deadline,
            RefusalListener refusals,
            ConnectionFactory... factories) {
        super(server, null, null, null, 1, 1, factories);
        this.admission = new Admission(limits);
        this.deadline = deadline;
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
        try {
            if (!admit(channel)) {
                IO.close(channel);
                return;
            }
            channel.configureBlocking(false);
            channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
            getSelectorManager().accept(channel);
        } catch (IOException | RuntimeException e) {
            forget(channel);
            IO.close(channel);
        }
    }

    private boolean admit(SocketChannel channel) throws IOException {
        InetAddress address = ((InetSocketAddress) channel.getRemoteAddress()).getAddress();
        Optional<Guest> displaced = Optional.empty();
        Optional<Refusal> refused = Optional.empty();
        synchronized (admission) {
            switch (enter(address)) {
                case Admission.Answer.Enter enter -> {
                    displaced = enter.displaced().map(this::remove);
                    entries.put(channel, enter.entry());
                    guests.put(enter.entry(), new Guest(address, channel, channel));
                }
                case Admission.Answer.Refuse refuse -> refused = Optional.of(refuse.reason());
                case Admission.Answer.Wait _ -> refused = Optional.of(Refusal.CONNECTIONS);
            }
        }
        displaced.ifPresent(guest -> close(guest, Refusal.DISPLACED));
        refused.ifPresent(reason -> refusals.refused(reason, address.getHostAddress(), "connection"));
        return refused.isEmpty();
    }

    /** Waits where that is the answer; the connections that come meanwhile wait in the kernel's queue. */
    private Admission.Answer enter(InetAddress address) {
        if (!admission.attempt(address, System.nanoTime())) {
            return new Admission.Answer.Refuse(Refusal.CONNECTION_RATE);
        }
        Admission.Answer answer = admission.enter(address, System.nanoTime());
        while (answer instanceof Admission.Answer.Wait && isRunning()) {
            try {
                admission.wait(WAIT_MILLIS);
            } catch (InterruptedException _) {
                Thread.currentThread().interrupt();
                return answer;
            }
            answer = admission.enter(address, System.nanoTime());
        }
        return answer;
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
    }

    /** Notes that a connection became a session: its deadline is lifted. */
    void settle(EndPoint endPoint) {
        synchronized (admission) {
            Admission.Entry entry = entries.get(channel(endPoint));
            if (entry != null) {
                admission.settle(entry, System.nanoTime());
                admission.notifyAll();
            }
        }
    }

    /** Closes the connections that did not become sessions in time. */
    void tick() {
        List<Guest> late = new ArrayList<>();
        synchronized (admission) {
            for (Admission.Entry entry : admission.overdue(System.nanoTime(), deadline.toNanos())) {
                late.add(remove(entry));
            }
        }
        late.forEach(guest -> close(guest, Refusal.DEADLINE));
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
        admission.notifyAll();
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
