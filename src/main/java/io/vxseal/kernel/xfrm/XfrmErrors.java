package io.vxseal.kernel.xfrm;

import io.vxseal.kernel.libc.Errno;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netns.Namespace;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The kernel's counters of packets that XFRM dropped, by reason ({@code Documentation/networking/xfrm_proc.rst}). They count for all
 * users of IPsec in a namespace.
 */
public final class XfrmErrors {
    private static final Path COUNTERS = Path.of("/proc/thread-self/net/xfrm_stat");

    private XfrmErrors() {}

    /** Returns the counters under the kernel's names; none if the kernel does not count (CONFIG_XFRM_STATISTICS). */
    public static SortedMap<String, Long> in(Namespace namespace) throws KernelException {
        SortedMap<String, Long> counters = new TreeMap<>();
        namespace.within(() -> {
            try {
                for (String line : Files.readAllLines(COUNTERS)) {
                    String[] words = line.strip().split("\\s+");
                    if (words.length == 2) {
                        counters.put(words[0], Long.parseUnsignedLong(words[1]));
                    }
                }
            } catch (NoSuchFileException none) {
                // This kernel does not count.
            } catch (IOException failure) {
                throw new KernelException("read " + COUNTERS, Errno.EIO, failure.toString());
            }
            return 0;
        });
        return counters;
    }
}
