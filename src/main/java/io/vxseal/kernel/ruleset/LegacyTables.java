package io.vxseal.kernel.ruleset;

import io.vxseal.kernel.libc.Errno;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.libc.LibC;
import io.vxseal.kernel.netlink.AddressFamily;
import io.vxseal.kernel.netns.Namespace;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The tables of x_tables in a network namespace, which iptables-legacy makes. One that does not exist is not made by reading. */
final class LegacyTables {
    // linux/netfilter_ipv4/ip_tables.h and linux/netfilter_ipv6/ip6_tables.h: options of a raw socket
    private static final int IPT_SO_GET_INFO = 64;
    private static final int IPT_SO_GET_ENTRIES = 65;

    private static final int SOL_IP = 0;
    private static final int SOL_IPV6 = 41;
    private static final int IPPROTO_RAW = 255;

    /*
     * struct ipt_getinfo {                             // linux/netfilter_ipv4/ip_tables.h
     *     char name[XT_TABLE_MAXNAMELEN];              //  0
     *     unsigned int valid_hooks;                    // 32: mask
     *     unsigned int hook_entry[NF_INET_NUMHOOKS];   // 36: where a chain begins
     *     unsigned int underflow[NF_INET_NUMHOOKS];    // 56: its policy, the last entry
     *     unsigned int num_entries;                    // 76
     *     unsigned int size;                           // 80: of all entries
     * };                                               // 84
     * struct ipt_get_entries {
     *     char name[XT_TABLE_MAXNAMELEN];              //  0
     *     unsigned int size;                           // 32
     *     struct ipt_entry entrytable[];               // 40
     * };
     */
    private static final int VALID_HOOKS = 32;
    private static final int HOOK_ENTRY = 36;
    private static final int UNDERFLOW = 56;
    private static final int INFO_SIZE = 80;
    private static final int INFO_LENGTH = 84;
    private static final int ENTRIES_SIZE = 32;
    private static final int ENTRIES_LENGTH = 40;
    private static final int HOOKS = 5;

    private LegacyTables() {}

    /** Reads all tables of both IP versions. */
    static List<Table> read(Namespace namespace) throws KernelException {
        List<Table> tables = new ArrayList<>();
        namespace.within(() -> {
            tables.addAll(read(false));
            tables.addAll(read(true));
            return 0;
        });
        return tables;
    }

    private static List<Table> read(boolean ipv6) throws KernelException {
        List<String> names;
        try {
            names = Files.readAllLines(Path.of("/proc/thread-self/net", ipv6 ? "ip6_tables_names" : "ip_tables_names"));
        } catch (NoSuchFileException none) {
            // The kernel has no x_tables of this version, or none in use.
            return List.of();
        } catch (IOException failure) {
            throw new KernelException("list tables of iptables-legacy", Errno.EIO, failure.toString());
        }
        if (names.isEmpty()) {
            return List.of();
        }
        int socket = LibC.INSTANCE.socket(ipv6 ? AddressFamily.AF_INET6 : AddressFamily.AF_INET, LibC.SOCK_RAW | LibC.SOCK_CLOEXEC,
                IPPROTO_RAW);
        if (socket < 0) {
            throw LibC.failure("read tables of iptables-legacy");
        }
        try {
            List<Table> tables = new ArrayList<>();
            for (String name : names) {
                tables.add(read(socket, ipv6, name));
            }
            return tables;
        } finally {
            LibC.INSTANCE.close(socket);
        }
    }

    private static Table read(int socket, boolean ipv6, String name) throws KernelException {
        ByteBuffer info = request(INFO_LENGTH, name);
        get(socket, ipv6, IPT_SO_GET_INFO, info, name);
        int size = info.getInt(INFO_SIZE);
        ByteBuffer entries = request(ENTRIES_LENGTH + size, name);
        entries.putInt(ENTRIES_SIZE, size);
        // Refused with EAGAIN if the table was changed since.
        get(socket, ipv6, IPT_SO_GET_ENTRIES, entries, name);
        List<LegacyEntries.Hook> hooks = new ArrayList<>();
        for (int hook = 0; hook < HOOKS; hook++) {
            if ((info.getInt(VALID_HOOKS) & 1 << hook) != 0) {
                hooks.add(new LegacyEntries.Hook(hook, info.getInt(HOOK_ENTRY + hook * Integer.BYTES),
                        info.getInt(UNDERFLOW + hook * Integer.BYTES)));
            }
        }
        ByteBuffer blob = entries.slice(ENTRIES_LENGTH, size).order(ByteOrder.nativeOrder());
        return new Table(Tool.IPTABLES_LEGACY, ipv6 ? "ip6" : "ip", name,
                new LegacyEntries(ipv6 ? LegacyEntries.Layout.IPV6 : LegacyEntries.Layout.IPV4, blob).chains(hooks, !name.equals("nat")));
    }

    private static ByteBuffer request(int length, String name) {
        ByteBuffer request = ByteBuffer.allocateDirect(length).order(ByteOrder.nativeOrder());
        return request.put(0, name.getBytes(StandardCharsets.US_ASCII));
    }

    private static void get(int socket, boolean ipv6, int option, ByteBuffer value, String name) throws KernelException {
        if (LibC.INSTANCE.getsockopt(socket, ipv6 ? SOL_IPV6 : SOL_IP, option, value) < 0) {
            throw LibC.failure("read table " + name + " of iptables-legacy");
        }
    }
}
