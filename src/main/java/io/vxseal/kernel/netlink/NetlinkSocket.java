package io.vxseal.kernel.netlink;

import io.vxseal.kernel.libc.Buffers;
import io.vxseal.kernel.libc.Errno;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.libc.LibC;
import io.vxseal.kernel.netns.Namespace;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;

/**
 * A netlink socket of one network namespace ({@code linux/netlink.h}, RFC 3549). It is opened inside the namespace and
 * speaks for it from then on, whichever thread uses it.
 *
 * <p>The kernel does all the work of a request, and queues every answer to it, before the send returns; a dump goes on
 * inside the receive. So nothing here ever waits: receives are non-blocking, a lost answer shows at once, and a virtual
 * thread that holds the lock is held up by the kernel's work only.
 */
public final class NetlinkSocket implements AutoCloseable {
    public static final int NETLINK_ROUTE = 0;
    public static final int NETLINK_XFRM = 6;
    public static final int NETLINK_NETFILTER = 12;

    private static final int AF_NETLINK = 16;
    private static final int SOCK_RAW = 3;
    private static final int SOCK_CLOEXEC = 0x80000;
    private static final int MSG_TRUNC = 0x20;
    private static final int MSG_DONTWAIT = 0x40;
    private static final int SOL_SOCKET = 1;
    private static final int SO_SNDBUFFORCE = 32;
    private static final int SO_RCVBUFFORCE = 33;
    private static final int SOL_NETLINK = 270;
    private static final int NETLINK_CAP_ACK = 10;
    private static final int NETLINK_EXT_ACK = 11;

    private static final int NLMSG_ERROR = 2;
    private static final int NLMSG_DONE = 3;
    private static final int NLM_F_CAPPED = 0x100;
    private static final int NLM_F_ACK_TLVS = 0x200;
    private static final int NLM_F_DUMP_INTR = 0x10;
    private static final int NLMSGERR_ATTR_MSG = 1;

    /** Octets; the kernel doubles it. Answers to a batch fit several times over. */
    private static final int SOCKET_BUFFER = 1 << 20;

    /** A dump that other changes keep running into is asked again this many times. */
    private static final int DUMP_ATTEMPTS = 8;

    private static final int OVERRUN = -1;

    private final int fd;
    private final ReentrantLock lock = new ReentrantLock();
    private boolean closed;

    private NetlinkSocket(int fd) {
        this.fd = fd;
    }

    /** Opens a socket of the given netlink protocol inside the namespace. */
    public static NetlinkSocket open(Namespace namespace, int protocol) throws KernelException {
        return open(namespace, protocol, SOCKET_BUFFER);
    }

    /**
     * Opens a socket in the namespace.
     *
     * @param buffer for what the kernel has to say, octets, half of what it then reckons with
     */
    public static NetlinkSocket open(Namespace namespace, int protocol, int buffer) throws KernelException {
        int fd = namespace.within(() -> {
            int opened = LibC.INSTANCE.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
            if (opened < 0) {
                int errno = LibC.errno();
                String missing = protocol == NETLINK_XFRM && errno == Errno.EPROTONOSUPPORT
                        ? "; the kernel lacks XFRM: modprobe xfrm_user, or use one built with CONFIG_XFRM_USER"
                        : "";
                throw new KernelException("open netlink socket", errno, Errno.text(errno) + missing);
            }
            return opened;
        });
        // Refused to a process without CAP_NET_ADMIN in the first user namespace; the defaults serve then.
        set(fd, SOL_SOCKET, SO_RCVBUFFORCE, buffer);
        set(fd, SOL_SOCKET, SO_SNDBUFFORCE, SOCKET_BUFFER);
        // Answers without a copy of the request, but with the kernel's words on what was wrong.
        set(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
        set(fd, SOL_NETLINK, NETLINK_EXT_ACK, 1);
        return new NetlinkSocket(fd);
    }

    private static void set(int fd, int level, int option, int value) {
        ByteBuffer number = ByteBuffer.allocateDirect(Integer.BYTES).order(ByteOrder.nativeOrder());
        number.putInt(0, value);
        LibC.INSTANCE.setsockopt(fd, level, option, number);
    }

    /**
     * What the kernel said to a request.
     *
     * @param errno 0 when it was done
     * @param words the kernel's own explanation (extended acknowledgement), empty when it gave none
     */
    public record Answer(int errno, String words) {
        static final Answer DONE = new Answer(0, "");

        public boolean done() {
            return errno == 0;
        }

        public KernelException failure(String what) {
            return new KernelException(what, errno, Errno.text(errno) + (words.isEmpty() ? "" : ": " + words));
        }
    }

    private static final Answer LOST = new Answer(Errno.ENOBUFS, "the kernel's answer was lost");

    /** Writes one request for a subject into the batch. */
    @FunctionalInterface
    public interface Writer<T> {
        void write(Batch batch, T subject);
    }

    /**
     * Sends one request for each subject, in order and in as few sends as there can be.
     *
     * @return one answer for each subject, in their order. Where the kernel dropped answers, it is ENOBUFS for all of a
     *     batch that have none: whether those requests were done is then unknown.
     * @throws KernelException if a batch could not be sent or its answers not read
     */
    public <T> List<Answer> exchange(List<T> subjects, Writer<T> writer) throws KernelException {
        var answers = new ArrayList<Answer>(subjects.size());
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

    /** Sends one request and throws unless it was done or its errno is among {@code fine}; answers the errno, or 0. */
    public int request(String what, Consumer<Batch> writer, Integer... fine) throws KernelException {
        Answer answer = exchange(List.of(what), (b, subject) -> writer.accept(b)).getFirst();
        if (!answer.done() && !Arrays.asList(fine).contains(answer.errno())) {
            throw answer.failure(what);
        }
        return answer.errno();
    }

    /** Asks for one object, for the reader to read; empty if the answer is an errno among {@code absent}. */
    public <T> Optional<T> get(String what, Consumer<Batch> writer, Reader<T> reader, Integer... absent)
            throws KernelException {
        lock.lock();
        Buffers buffers = Buffers.take();
        try {
            writer.accept(buffers.batch);
            send(buffers);
            Optional<T> found = Optional.empty();
            while (true) {
                if (receive(buffers) < 0) {
                    throw LOST.failure(what);
                }
                ByteBuffer received = buffers.received;
                if (type(received, 0) != NLMSG_ERROR) {
                    found = reader.read(type(received, 0), payload(received, 0, received.limit()));
                    continue;
                }
                Answer answer = answer(received, 0, received.limit());
                if (!answer.done() && !Arrays.asList(absent).contains(answer.errno())) {
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
     * Asks for all objects of a kind. A dump that changes ran into (NLM_F_DUMP_INTR) may miss some and is asked again,
     * up to {@value #DUMP_ATTEMPTS} times in all.
     *
     * @return what the reader made of the messages' payloads
     * @throws KernelException if the list cannot be had, EAGAIN if changes ran into each: what is missing in one would be
     *     taken for gone
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
            // States come with their keys.
            buffers.wipeReceived();
            buffers.giveBack();
            lock.unlock();
        }
    }

    /** Makes something of a message's payload, which is valid during the call only; empty to leave it out. */
    @FunctionalInterface
    public interface Reader<T> {
        Optional<T> read(int type, ByteBuffer payload);
    }

    /** Sends what is in the batch, empties it, and adds an answer for each request. */
    private void flush(Buffers buffers, List<Answer> answers) throws KernelException {
        int requests = buffers.batch.size();
        if (requests == 0) {
            return;
        }
        send(buffers);
        Answer[] given = new Answer[requests];
        boolean overrun = false;
        while (given[requests - 1] == null) {
            int received = receiveAnswers(buffers, requests);
            if (received == 0) {
                break;
            }
            overrun |= received == OVERRUN;
            for (int n = 0; n < received; n++) {
                take(buffers, n, given);
            }
        }
        // Who is not refused is done; unless a refusal got lost, or the kernel did not come to the end.
        Answer silence = overrun || given[requests - 1] == null ? LOST : Answer.DONE;
        for (int n = 0; n < requests; n++) {
            if (given[n] == null) {
                given[n] = silence;
            }
        }
        answers.addAll(Arrays.asList(given));
    }

    /** The n-th of the answers received, to the place of its request. */
    private static void take(Buffers buffers, int n, Answer[] given) {
        ByteBuffer octets = buffers.received;
        int at = Buffers.answer(n);
        int length = buffers.answerLength(n);
        if (length < NetlinkMessage.NLMSG_HDRLEN + Integer.BYTES || type(octets, at) != NLMSG_ERROR) {
            return;
        }
        int sequence = octets.getInt(at + 8);
        if (sequence >= 0 && sequence < given.length) {
            given[sequence] = answer(octets, at, at + length);
        }
    }

    private void send(Buffers buffers) throws KernelException {
        if (closed) {
            throw new KernelException("send to netlink socket", Errno.EBADF, "EBADF: the socket was closed");
        }
        // What a call that broke off left unread must not pass for an answer to this one.
        int unread;
        do {
            unread = receive(buffers);
        } while (unread >= 0);
        int length = buffers.load();
        long sent;
        do {
            sent = LibC.INSTANCE.send(fd, buffers.request, length, 0);
        } while (sent < 0 && LibC.errno() == Errno.EINTR);
        if (sent < 0) {
            throw LibC.failure("send to netlink socket");
        }
    }

    /** Octets received, or -1 when nothing more is queued: the kernel dropped what is missing. */
    private int receive(Buffers buffers) throws KernelException {
        while (true) {
            long length =
                    LibC.INSTANCE.recv(fd, buffers.receivedMemory, Buffers.RECEIVED, MSG_DONTWAIT | MSG_TRUNC);
            if (length > Buffers.RECEIVED) {
                throw new KernelException(
                        "read netlink socket", Errno.EMSGSIZE, "an answer of " + length + " octets is too long");
            }
            if (length >= 0) {
                return (int) length;
            }
            if (!isMore()) {
                return -1;
            }
        }
    }

    /**
     * How many answers there are, at most so many; each is a datagram of its own, so this takes them all in one call. Or
     * {@link #OVERRUN}: there were some that did not fit the socket's buffer. 0 if there are no more.
     */
    private int receiveAnswers(Buffers buffers, int most) throws KernelException {
        while (true) {
            int answers = LibC.INSTANCE.recvmmsg(fd, buffers.answers, most, MSG_DONTWAIT, 0);
            if (answers >= 0) {
                return answers;
            }
            if (LibC.errno() == Errno.ENOBUFS) {
                return OVERRUN;
            }
            if (!isMore()) {
                return 0;
            }
        }
    }

    /** Whether a receive that failed is to be tried again; ENOBUFS tells of an overrun once, and what did fit is still there. */
    private static boolean isMore() throws KernelException {
        int errno = LibC.errno();
        if (errno == Errno.EAGAIN) {
            return false;
        }
        if (errno != Errno.EINTR && errno != Errno.ENOBUFS) {
            throw LibC.failure("read netlink socket");
        }
        return true;
    }

    /** False if the dump was interrupted by changes. */
    private <T> boolean readDump(String what, Buffers buffers, Reader<T> reader, List<T> found) throws KernelException {
        ByteBuffer received = buffers.received;
        boolean consistent = true;
        while (true) {
            int length = receive(buffers);
            if (length < 0) {
                throw new KernelException(what, Errno.ENOBUFS, "the kernel's list ended early");
            }
            for (int at = 0; at + NetlinkMessage.NLMSG_HDRLEN <= length; at = NetlinkMessage.next(received, at)) {
                consistent &= (received.getShort(at + 6) & NLM_F_DUMP_INTR) == 0;
                switch (type(received, at)) {
                    case NLMSG_DONE -> {
                        int errno = -received.getInt(at + NetlinkMessage.NLMSG_HDRLEN);
                        if (errno > 0) {
                            throw new Answer(errno, "").failure(what);
                        }
                        return consistent;
                    }
                    case NLMSG_ERROR -> throw answer(received, at, length).failure(what);
                    default -> reader.read(type(received, at), payload(received, at, length)).ifPresent(found::add);
                }
            }
        }
    }

    private static int type(ByteBuffer received, int at) {
        return received.getShort(at + 4) & 0xffff;
    }

    /** Of the message at {@code at}, as far as it is there. */
    private static ByteBuffer payload(ByteBuffer received, int at, int limit) {
        int start = at + NetlinkMessage.NLMSG_HDRLEN;
        int end = Math.min(at + received.getInt(at), limit);
        return received.slice(start, end - start).order(ByteOrder.nativeOrder());
    }

    private static Answer answer(ByteBuffer received, int at, int limit) {
        int errno = -received.getInt(at + NetlinkMessage.NLMSG_HDRLEN);
        if (errno == 0) {
            return Answer.DONE;
        }
        int flags = received.getShort(at + 6);
        if ((flags & NLM_F_ACK_TLVS) == 0) {
            return new Answer(errno, "");
        }
        ByteBuffer error = payload(received, at, limit);
        // The request's header follows the errno, and the rest of the request too unless it was capped.
        int request = (flags & NLM_F_CAPPED) != 0 ? NetlinkMessage.NLMSG_HDRLEN : error.getInt(4);
        return new Answer(errno, Attributes.of(error, 4 + request).text(NLMSGERR_ATTR_MSG).orElse(""));
    }

    @Override
    public void close() {
        lock.lock();
        try {
            if (!closed) {
                closed = true;
                LibC.INSTANCE.close(fd);
            }
        } finally {
            lock.unlock();
        }
    }
}
