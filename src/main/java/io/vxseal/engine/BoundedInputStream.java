package io.vxseal.engine;

import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;

/** Stream that fails once more was read than may be. */
final class BoundedInputStream extends FilterInputStream {
    private final long most;
    private long left;

    BoundedInputStream(InputStream in, long most) {
        super(in);
        this.most = most;
        this.left = most;
    }

    @Override
    public int read() throws IOException {
        int octet = in.read();
        count(octet < 0 ? 0 : 1);
        return octet;
    }

    @Override
    public int read(byte[] octets, int from, int length) throws IOException {
        int read = in.read(octets, from, length);
        count(Math.max(read, 0));
        return read;
    }

    private void count(int read) throws IOException {
        left -= read;
        if (left < 0) {
            throw new IOException("its answer has more than %d octets".formatted(most));
        }
    }
}
