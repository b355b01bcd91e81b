package io.vxseal.kernel.netns;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * A process that has a socket open.
 *
 * @param name of the process, as {@code comm} in {@code proc(5)}
 * @param command its command line, with blanks between the words
 */
public record SocketHolder(long pid, String name, String command) {
    /** Returns the first process that has the socket; empty if none is found, as in another namespace of processes. */
    public static Optional<SocketHolder> of(BoundSocket socket) {
        String wanted = "socket:[%d]".formatted(socket.inode());
        try (DirectoryStream<Path> processes = Files.newDirectoryStream(Path.of("/proc"), "[0-9]*")) {
            for (Path process : processes) {
                if (has(process, wanted)) {
                    return Optional.of(new SocketHolder(Long.parseLong(process.getFileName().toString()),
                            Files.readString(process.resolve("comm")).strip(),
                            Files.readString(process.resolve("cmdline"), StandardCharsets.ISO_8859_1).replace('\0', ' ').strip()));
                }
            }
        } catch (IOException ended) {
            // The process, or nothing is known of any.
        }
        return Optional.empty();
    }

    private static boolean has(Path process, String wanted) {
        try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(process.resolve("fd"))) {
            for (Path descriptor : descriptors) {
                if (link(descriptor).equals(wanted)) {
                    return true;
                }
            }
        } catch (IOException ended) {
            // It has no descriptors any more.
        }
        return false;
    }

    private static String link(Path link) {
        try {
            return Files.readSymbolicLink(link).toString();
        } catch (IOException closed) {
            return "";
        }
    }

    @Override
    public String toString() {
        return "process %s (%d)".formatted(name, pid);
    }
}
