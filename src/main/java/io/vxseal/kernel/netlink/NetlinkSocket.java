package io.vxseal.kernel.netlink;

import io.vxseal.kernel.libc.Errno;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.libc.LibC;
import io.vxseal.kernel.netns.Namespace;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * A netlink socket of one network namespace for requests, their answers, and dumps ({@code linux/netlink.h}, RFC 3549).
 *
 * <p>The kernel does all the work of a request, and queues every answer to it, before the send returns; a dump goes on
 * inside the receive. So no call waits: receives are non-blocking, a lost answer is detected at once, and a virtual
 * thread that holds the lock is delayed by the kernel's work only.
 *
 * <p>Safe for use by several threads.
 */
public final class NetlinkSocket implements AutoCloseable {
    // linux/netlink.h
    private static final int NLMSG_ERROR = 2;
    private static final int NLMSG_DONE = 3;
    private static final int NLM_F_DUMP_INTR = 0x10;

    /** Size of the socket's buffers in octets; the kernel doubles it. Answers to a batch fit several times over. */
    private static final int SOCKET_BUFFER = 1 << 20;

    /** Times that a dump is requested while changes keep interrupting it. */
    private static final int DUMP_ATTEMPTS = 8;

    private final NetlinkDescriptor descriptor;

    /** Guards the descriptor, one exchange at a time. Held over the kernel's work on the requests. */
    private final ReentrantLock lock = new ReentrantLock();

    private boolean closed;

    private NetlinkSocket(NetlinkDescriptor descriptor) {
        this.descriptor = descriptor;
    }

    /** Opens a socket of a netlink protocol in the namespace, which may be closed afterwards. */
    public static NetlinkSocket open(Namespace namespace, int protocol) throws KernelException {
        return open(namespace, protocol, SOCKET_BUFFER);
    }

    /**
     * Opens a socket with a receive buffer of another size.
     *
     * @param receiveBuffer in octets; the kernel doubles it
     */
    static NetlinkSocket open(Namespace namespace, int protocol, int receiveBuffer) throws KernelException {
        NetlinkDescriptor descriptor = NetlinkDescriptor.open(namespace, protocol);
        // Refused to a process without CAP_NET_ADMIN in the initial user namespace; the default sizes suffice then.
        descriptor.set(LibC.SOL_SOCKET, NetlinkDescriptor.SO_RCVBUFFORCE, receiveBuffer);
        descriptor.set(LibC.SOL_SOCKET, NetlinkDescriptor.SO_SNDBUFFORCE, SOCKET_BUFFER);
        // Answers without a copy of the request, and with the kernel's explanation of an error.
        descriptor.set(NetlinkDescriptor.SOL_NETLINK, NetlinkDescriptor.NETLINK_CAP_ACK, 1);
        descriptor.set(NetlinkDescriptor.SOL_NETLINK, NetlinkDescriptor.NETLINK_EXT_ACK, 1);
        return new NetlinkSocket(descriptor);
    }

    /** Writer of one request for a subject into the batch. */
    @FunctionalInterface
    public interface Writer<T> {
        void write(Batch batch, T subject);
    }

    /** Reader of a message's payload, which is valid during the call only. It returns empty to leave the message out. */
    @FunctionalInterface
    public interface Reader<T> {
        Optional<T> read(int type, ByteBuffer payload);
    }

    /**
     * Sends one request for each subject, in order and in as few sends as possible.
     *
     * @return one answer for each subject, in their order. Where the kernel dropped answers of a batch, ENOBUFS for each of
     *     its requests without one: whether those were done is unknown.
     * @throws KernelException if a batch could not be sent or its answers not read
     */
    public <T> List<NetlinkAnswer> exchange(List<T> subjects, Writer<T> writer) throws KernelException {
        var answers = new ArrayList<NetlinkAnswer>(subjects.size());
        lock.lock();
        Buffers buffers = Buffers.take();
        try {
            for (T subject : subjects) {
                writer.write(buffers.batch, subject);
                if (buffers.batch.isFull()) {
                    flush(buffers, answers);
                }
            }
            flush(buffers, answers);
        } finally {
            buffers.giveBack();
            lock.unlock();
        }
        return answers;
    }

    /**
     * Sends one request.
     *
     * @param ignored errnos that are no failure
     * @return 0, or the ignored errno
     * @throws KernelException if the kernel refused the request for another reason
     */
    public int request(String what, Consumer<Batch> writer, Integer... ignored) throws KernelException {
        NetlinkAnswer answer = exchange(List.of(what), (batch, _) -> writer.accept(batch)).getFirst();
        if (!isFine(answer, ignored)) {
            throw answer.failure(what);
        }
        return answer.errno();
    }

    /**
     * Sends one request for each subject, in order. A refused one does not keep the kernel from those after it.
     *
     * @param describe what a request does, for the exception
     * @param ignored errnos that are no failure
     * @throws KernelException for the first one refused; those for the others are suppressed in it
     */
    public <T> void requestAll(List<T> subjects, Writer<T> writer, Function<T, String> describe, Integer... ignored)
            throws KernelException {
        List<NetlinkAnswer> answers = exchange(subjects, writer);
        KernelException refused = null;
        for (int i = 0; i < answers.size(); i++) {
            if (isFine(answers.get(i), ignored)) {
                continue;
            }
            KernelException failure = answers.get(i).failure(describe.apply(subjects.get(i)));
            if (refused == null) {
                refused = failure;
            } else {
                refused.addSuppressed(failure);
            }
        }
        if (refused != null) {
            throw refused;
        }
    }

    private static boolean isFine(NetlinkAnswer answer, Integer... ignored) {
        return answer.done() || Set.of(ignored).contains(answer.errno());
    }

    /**
     * Sends a transaction. One of its requests must ask for an acknowledgement.
     *
     * @throws KernelException for the first request refused; nothing was changed then
     */
    public void transact(String what, NetlinkTransaction transaction) throws KernelException {
        NetlinkTransaction.Request request = transaction.request();
        lock.lock();
        Buffers buffers = Buffers.take();
        try {
            send(buffers, request.address(), request.length());
            NetlinkAnswer answer = NetlinkAnswer.LOST;
            while (true) {
                int length = descriptor.receive(buffers.receivedMemory, Buffers.RECEIVED);
                if (length == NetlinkDescriptor.NONE) {
                    break;
                }
                if (length >= NetlinkAnswer.MIN_LENGTH && NetlinkHeader.type(buffers.received, 0) == NLMSG_ERROR
                        && (answer.done() || answer.equals(NetlinkAnswer.LOST))) {
                    answer = NetlinkAnswer.read(buffers.received, 0, length);
                }
            }
            if (!answer.done()) {
                throw answer.failure(what);
            }
        } finally {
            Reference.reachabilityFence(request);
            buffers.giveBack();
            lock.unlock();
        }
    }

    /**
     * Requests one object.
     *
     * @param absent errnos that mean that there is no such object
     */
    public <T> Optional<T> get(String what, Consumer<Batch> writer, Reader<T> reader, Integer... absent)
            throws KernelException {
        lock.lock();
        Buffers buffers = Buffers.take();
        try {
            writer.accept(buffers.batch);
            send(buffers);
            ByteBuffer received = buffers.received;
            Optional<T> found = Optional.empty();
            while (true) {
                int length = descriptor.receive(buffers.receivedMemory, Buffers.RECEIVED);
                if (length == NetlinkDescriptor.NONE) {
                    throw NetlinkAnswer.LOST.failure(what);
                }
                int type = NetlinkHeader.type(received, 0);
                if (type != NLMSG_ERROR) {
                    found = reader.read(type, NetlinkHeader.payload(received, 0, length));
                    continue;
                }
                NetlinkAnswer answer = NetlinkAnswer.read(received, 0, length);
                if (!isFine(answer, absent)) {
                    throw answer.failure(what);
                }
                return found;
            }
        } finally {
            buffers.giveBack();
            lock.unlock();
        }
    }

    /**
     * Requests all objects of a kind. A dump that changes interrupted (NLM_F_DUMP_INTR) may miss some and is requested again,
     * up to {@value #DUMP_ATTEMPTS} times in all.
     *
     * @return what the reader made of the messages' payloads
     * @throws KernelException if the list could not be read; EAGAIN if changes interrupted each attempt, because objects
     *     that an incomplete list misses would be taken for deleted
     */
    public <T> List<T> dump(String what, Consumer<Batch> writer, Reader<T> reader) throws KernelException {
        lock.lock();
        Buffers buffers = Buffers.take();
        try {
            for (int attempt = 1; ; attempt++) {
                var found = new ArrayList<T>();
                writer.accept(buffers.batch);
                send(buffers);
                if (readDump(what, buffers, reader, found)) {
                    return found;
                }
                if (attempt == DUMP_ATTEMPTS) {
                    throw new KernelException(what, Errno.EAGAIN,
                            "the kernel's list changed each of %d times that it was read".formatted(DUMP_ATTEMPTS));
                }
            }
        } finally {
            // A dump of states contains keys.
            buffers.wipeReceived();
            buffers.giveBack();
            lock.unlock();
        }
    }

    /** Sends and empties the batch, and adds an answer for each of its requests. */
    private void flush(Buffers buffers, List<NetlinkAnswer> answers) throws KernelException {
        int requests = buffers.batch.size();
        if (requests == 0) {
            return;
        }
        send(buffers);
        NetlinkAnswer[] given = new NetlinkAnswer[requests];
        boolean overrun = false;
        while (given[requests - 1] == null) {
            int received = descriptor.receiveMany(buffers.answers, requests);
            if (received == NetlinkDescriptor.NONE) {
                break;
            }
            overrun |= received == NetlinkDescriptor.OVERRUN;
            for (int n = 0; n < received; n++) {
                assign(buffers, n, given);
            }
        }
        // No answer means success, unless answers were lost or the acknowledgement of the last request is missing.
        NetlinkAnswer silence = overrun || given[requests - 1] == null ? NetlinkAnswer.LOST : NetlinkAnswer.DONE;
        for (int n = 0; n < requests; n++) {
            if (given[n] == null) {
                given[n] = silence;
            }
        }
        answers.addAll(Arrays.asList(given));
    }

    /** Assigns the n-th answer received to its request, by the sequence number. */
    private static void assign(Buffers buffers, int n, NetlinkAnswer[] given) {
        ByteBuffer received = buffers.received;
        int at = Buffers.answer(n);
        int length = buffers.answerLength(n);
        if (length < NetlinkAnswer.MIN_LENGTH || NetlinkHeader.type(received, at) != NLMSG_ERROR) {
            return;
        }
        int sequence = NetlinkHeader.sequence(received, at);
        if (sequence >= 0 && sequence < given.length) {
            given[sequence] = NetlinkAnswer.read(received, at, at + length);
        }
    }

    private void send(Buffers buffers) throws KernelException {
        send(buffers, buffers.request, buffers.load());
    }

    private void send(Buffers buffers, long request, int length) throws KernelException {
        if (closed) {
            throw new KernelException("send to netlink socket", Errno.EBADF, "EBADF: the socket was closed");
        }
        // An answer that an earlier, failed call left unread must not be taken for an answer to this one.
        int unread;
        do {
            unread = descriptor.receive(buffers.receivedMemory, Buffers.RECEIVED);
        } while (unread != NetlinkDescriptor.NONE);
        descriptor.send(request, length);
    }

    /** Reads a dump to its end and returns false if changes interrupted it. */
    private <T> boolean readDump(String what, Buffers buffers, Reader<T> reader, List<T> found) throws KernelException {
        ByteBuffer received = buffers.received;
        boolean consistent = true;
        while (true) {
            int length = descriptor.receive(buffers.receivedMemory, Buffers.RECEIVED);
            if (length == NetlinkDescriptor.NONE) {
                throw new KernelException(what, Errno.ENOBUFS, "the kernel's list ended early");
            }
            for (int at = 0; at + NetlinkHeader.NLMSG_HDRLEN <= length; at = NetlinkHeader.next(received, at)) {
                consistent &= (NetlinkHeader.flags(received, at) & NLM_F_DUMP_INTR) == 0;
                int type = NetlinkHeader.type(received, at);
                ByteBuffer payload = NetlinkHeader.payload(received, at, length);
                switch (type) {
                    case NLMSG_DONE -> {
                        int errno = -payload.getInt(0);
                        if (errno > 0) {
                            throw LibC.failure(what, errno);
                        }
                        return consistent;
                    }
                    case NLMSG_ERROR -> throw NetlinkAnswer.read(received, at, length).failure(what);
                    default -> reader.read(type, payload).ifPresent(found::add);
                }
            }
        }
    }

    @Override
    public void close() {
        lock.lock();
        try {
            if (!closed) {
                closed = true;
                descriptor.close();
            }
        } finally {
            lock.unlock();
        }
    }
}
