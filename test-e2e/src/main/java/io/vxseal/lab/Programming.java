package io.vxseal.lab;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;

/**
 * Measurements of all ways to program a guest's kernel, each in a process and a network namespace of its own. Verifies that
 * all lead to the same objects. The ways take turns, so that other load on the machine slows down all of them.
 */
final class Programming {

    private static final Duration LIMIT = Duration.ofMinutes(10);
    private static final int BATCH = 64;
    private static final int KEYS = 3;
    private static final String UNSEEN = "true";
    private static final ObjectMapper JSON = new ObjectMapper();

    /**
     * Runs a program of the product's tests like the launcher runs the product: with the same runtime, flags and class data
     * archive. The archive also fits a longer class path, if the path begins in the same way, so this makes such a folder.
     */
    private static final String JAVA = """
            #!/bin/sh
            # java CLASS WORDS...
            set -e
            home=/run/bench/vxseal
            if [ ! -d $home ]; then
              mkdir -p $home /run/bench/more
              cp -r /payload/target/test-classes /run/bench/more/
              mount -t overlay -o lowerdir=/payload/target/plugin/rootfs/usr/lib/vxseal:/run/bench/more bench $home
            fi
            main=$1
            shift
            plugin='vxseal.jar" io.vxseal.Main'
            grep -qF "$plugin" $home/bin/vxseal
            exec sh -c "$(sed "s|$plugin|vxseal.jar:\\$home/test-classes\\" $main|" $home/bin/vxseal)" $home/bin/vxseal "$@"
            """;

    /** A VXLAN device with the plugin's settings. */
    private static final String SANDBOX = """
            #!/bin/sh
            # sandbox COMMAND...: runs it in a namespace with a VXLAN device, vx0
            set -e
            ip link set lo up
            ip link add br0 type bridge
            ip link set br0 up
            ip link add vx0 type vxlan id 4242 dstport 4789 local 10.99.0.1 learning proxy l2miss l3miss
            ip link set vx0 master br0 up
            exec "$@"
            """;

    /** Lists the kernel's objects with other tools, without times and numbers assigned by the kernel. */
    private static final String WITNESS = """
            #!/bin/sh
            # witness MODE WORK
            mkdir -p /run/bench/held
            case $2 in
              sandbox) ip neigh show nud permanent dev vx0; bridge fdb show dev vx0 | grep ' dst ' ;;
              *) ip -s -o xfrm state; ip -s -o xfrm policy ;;
            esac | sed -E 's/add [-0-9]+ [:0-9]+ use [^\\]*//; s/ index [0-9]+ / /' | sort > /run/bench/held/"$1-$2"
            """;

    private final Guest guest;
    private final Consumer<String> progress;
    private final Times times = new Times();

    Programming(Guest guest, Consumer<String> progress) {
        this.guest = guest;
        this.progress = progress;
        guest.sh("mkdir -p /run/bench");
        guest.copyIn(JAVA.getBytes(StandardCharsets.UTF_8), "/run/bench/java");
        guest.copyIn(SANDBOX.getBytes(StandardCharsets.UTF_8), "/run/bench/sandbox");
        guest.copyIn(WITNESS.getBytes(StandardCharsets.UTF_8), "/run/bench/witness");
        guest.sh("chmod +x /run/bench/*");
    }

    /** Returns all times measured so far. */
    Times times() {
        return times;
    }

    /**
     * Number of measurements: short ones vary more.
     *
     * @param peers or endpoints
     * @param rounds number of turns of each way, and so of first calls
     * @param cycles of the product per round, the first included
     * @param slowly cycles of the naive way per round
     */
    private record Size(int peers, int rounds, int cycles, int slowly) {}

    /** Measures set-up, rotation and removal of states and policies. */
    void states() {
        // The kernel loads its modules now.
        guest.run("unshare -n /payload/target/floor programming 1 1 1 true", LIMIT).require();
        for (Size size : List.of(new Size(10, 3, 10, 4), new Size(100, 3, 7, 3), new Size(1000, 5, 6, 2), new Size(4000, 3, 3, 2))) {
            measure(size, "programming", "Programming", "", "");
            int objects = size.peers * (KEYS + 2) + 1;
            compare("setup", objects);
            compare("rotate", objects);
        }
    }

    /** Measures the entries of a sandbox for remote endpoints. */
    void entries() {
        for (Size size : List.of(new Size(100, 3, 8, 3), new Size(1000, 3, 6, 3), new Size(10_000, 3, 4, 2))) {
            measure(size, "sandbox", "Sandbox", "/run/bench/sandbox", "vx0");
            compare("sandbox", 2 * size.peers);
        }
    }

    private void measure(Size size, String floor, String product, String before, String device) {
        String java = before + " /run/bench/java io.vxseal.bench." + product;
        String native64 = before + " /payload/target/floor " + floor;
        for (int round = 0; round < size.rounds; round++) {
            // Listing the objects takes an emulated host as long as adding them, and all rounds add the same.
            boolean seen = round > 0;
            take(round, "%s %d %d %d '%s' %s", native64, size.peers, BATCH, size.cycles, seen ? UNSEEN : witness(Times.FLOOR), device);
            take(round, "%s batched %d %d '%s' %s", java, size.peers, size.cycles, seen ? UNSEEN : witness(Times.BATCHED), device);
            take(round, "%s naive %d %d '%s' %s", java, size.peers, size.slowly, seen ? UNSEEN : witness(Times.NAIVE), device);
            if (!seen) {
                take(round, "%s %d %d %d '%s' %s", native64, size.peers, 1, size.slowly, UNSEEN, device);
            }
        }
        progress.accept("%d: done".formatted(size.peers));
    }

    private static String witness(String mode) {
        return "/run/bench/witness " + mode;
    }

    @SuppressWarnings("AnnotateFormatMethod") // would be the only use of a dependency
    private void take(int round, String command, Object... words) {
        String said = guest.run("unshare -n " + command.formatted(words), LIMIT).require();
        for (String line : said.lines().toList()) {
            try {
                JsonNode time = JSON.readTree(line);
                String mode = time.path("messages").asInt(BATCH) == 1 ? Times.FLOOR_ALONE : time.path("mode").asText();
                times.add(new Times.Time(time.path("work").asText(), time.path("peers").asInt(), mode,
                        time.path("call").asText(), time.path("ms").asDouble()), round);
            } catch (JsonProcessingException e) {
                throw new LabException("not a line of JSON: " + line, e);
            }
            progress.accept(line);
        }
    }

    /** Fails unless all ways have led to the same objects in the expected number. */
    private void compare(String work, int objects) {
        guest.run("""
                cd /run/bench/held
                found=$(wc -l < batched-%1$s)
                [ "$found" = %2$d ] || { echo "the product left $found objects after %1$s, want %2$d" >&2; exit 1; }
                for other in naive floor; do
                  cmp -s batched-%1$s $other-%1$s && continue
                  echo "after %1$s the objects of the product (<) and of $other (>) differ:" >&2
                  diff batched-%1$s $other-%1$s | head -n 20 >&2
                  exit 1
                done
                rm -f *-%1$s""".formatted(work, objects), LIMIT).require();
        progress.accept("after %s all ways had the same %d objects in the kernel".formatted(work, objects));
    }
}
