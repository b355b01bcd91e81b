package io.vxseal.kernel.netlink;

import io.vxseal.kernel.libc.Errno;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.libc.LibC;
import java.nio.ByteBuffer;

/**
 * The kernel's answer to one request.
 *
 * <pre>{@code
 * struct nlmsgerr {            // linux/netlink.h
 *     int error;               //  0: 0 or a negative errno
 *     struct nlmsghdr msg;     //  4: header of the request
 *                              // 20: payload of the request, unless NLM_F_CAPPED is set
 *                              //     attributes, if NLM_F_ACK_TLVS is set
 * };
 * }</pre>
 *
 * @param errno 0 if the request was done
 * @param words the kernel's own explanation (extended acknowledgement); empty if it gave none
 */
public record NetlinkAnswer(int errno, String words) {
    private static final int NLMSGERR_ERROR = 0;
    private static final int NLMSGERR_MSG = 4;

    // linux/netlink.h: flags of an answer, attributes
    private static final int NLM_F_CAPPED = 0x100;
    private static final int NLM_F_ACK_TLVS = 0x200;
    private static final int NLMSGERR_ATTR_MSG = 1;

    /** Octets of the shortest message with an answer. */
    static final int MIN_LENGTH = NetlinkHeader.NLMSG_HDRLEN + NLMSGERR_MSG;

    static final NetlinkAnswer DONE = new NetlinkAnswer(0, "");

    /** The kernel dropped the answer: whether the request was done is unknown. */
    static final NetlinkAnswer LOST = new NetlinkAnswer(Errno.ENOBUFS, "the kernel's answer was lost");

    /** Reads the NLMSG_ERROR message at {@code at}, of which the octets before {@code limit} were received. */
    static NetlinkAnswer read(ByteBuffer received, int at, int limit) {
        ByteBuffer error = NetlinkHeader.payload(received, at, limit);
        int errno = -error.getInt(NLMSGERR_ERROR);
        if (errno == 0) {
            return DONE;
        }
        int flags = NetlinkHeader.flags(received, at);
        if ((flags & NLM_F_ACK_TLVS) == 0) {
            return new NetlinkAnswer(errno, "");
        }
        int request = (flags & NLM_F_CAPPED) != 0
                ? NetlinkHeader.NLMSG_HDRLEN
                : error.getInt(NLMSGERR_MSG + NetlinkHeader.NLMSG_LEN);
        return new NetlinkAnswer(errno, Attributes.of(error, NLMSGERR_MSG + request).text(NLMSGERR_ATTR_MSG).orElse(""));
    }

    public boolean done() {
        return errno == 0;
    }

    /** Returns the exception for this answer. */
    public KernelException failure(String what) {
        return new KernelException(what, errno, LibC.text(errno) + (words.isEmpty() ? "" : ": " + words));
    }
}
