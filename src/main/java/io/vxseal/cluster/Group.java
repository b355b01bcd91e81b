package io.vxseal.cluster;

import io.vxseal.cluster.Message.Hello;
import java.net.InetAddress;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A group that this node is in, or on its way to, or out of: who else is, and what is known of them. On {@link Node}'s thread. */
final class Group {
    private static final Logger LOG = LoggerFactory.getLogger(Group.class);

    /**
     * Who is heard for so long and not in the view is in another that has this node, too: merges that crossed each other
     * can leave that behind. JGroups does not end it where neither group's coordinator was told of the other, and failure
     * detection does not, since this node answers. Longer than a merge takes.
     */
    private static final Duration CROSSED = Duration.ofSeconds(20);
    /**
     * A view is behind by up to {@link GroupStack#DETECTION}: before keys change, a majority of the managers must have
     * spoken within this time. Those that were silent are asked.
     */
    private static final Duration FRESH = Duration.ofSeconds(2);

    final long number;
    final GroupStack stack;
    final Node.Addresses addresses;
    boolean connected;
    List<UUID> view = List.of();
    /** Since when neither the view nor this node's role in it changed. */
    long still = System.nanoTime();
    final Map<UUID, Long> since = new HashMap<>();
    final Map<UUID, Known> known = new HashMap<>();
    final Map<UUID, Long> heard = new HashMap<>();
    Optional<Hello> greeting = Optional.empty();
    /** Those that speak and are not in the view. */
    final Map<UUID, Stranger> strangers = new HashMap<>();
    /** Members that said they would go. */
    final Set<UUID> away = new HashSet<>();
    /**
     * Members that are told which endpoints are here once they said which ring they have: one that was cut off gets the
     * ring first, or it would take the endpoints up under keys that are over.
     */
    final Set<UUID> owed = new HashSet<>();
    /** Members that have not answered this node's last word. */
    final Set<UUID> unaware = new HashSet<>();
    private boolean closing;
    final CompletableFuture<Void> closed = new CompletableFuture<>();

    /**
     * A member that is heard and not in the view.
     *
     * @param first when it was first heard, of times less than two beats apart
     * @param last when it was last heard
     */
    record Stranger(long first, long last) {}

    /**
     * Who a member is, as it proved.
     *
     * @param greeting the proof
     * @param until when that has to be checked again
     */
    record Known(NodeName name, InetAddress vtep, Hello greeting, Instant until) {

        static Known of(SwarmIdentity.Signer signer, Hello greeting) {
            return new Known(signer.name(), greeting.vtep(), greeting, signer.until());
        }

        boolean proved(Hello again) {
            return Instant.now().isBefore(until) && Introduction.isRepeated(greeting, again);
        }

        Known toBeProvedAgain() {
            return new Known(name, vtep, greeting, Instant.MIN);
        }
    }

    Group(long number, GroupStack stack, Node.Addresses addresses) {
        this.number = number;
        this.stack = stack;
        this.addresses = addresses;
    }

    List<UUID> others() {
        return view.stream().filter(member -> !member.equals(stack.self())).toList();
    }

    /** Whether one that is not in the view has been heard for so long that no merge will bring it there. */
    boolean isCrossed(UUID from) {
        long now = System.nanoTime();
        Stranger stranger = strangers.merge(from, new Stranger(now, now), (before, _) ->
                new Stranger(Node.since(before.last()).compareTo(Node.BEAT.multipliedBy(2)) < 0 ? before.first() : now, now));
        return Node.since(stranger.first()).compareTo(CROSSED) >= 0;
    }

    boolean isFresh(UUID member) {
        return heard.containsKey(member) && Node.since(heard.get(member)).compareTo(FRESH) < 0;
    }

    void closeOnceHeard() {
        if (unaware.isEmpty()) {
            close();
        }
    }

    /** Returns at once: JGroups waits for the coordinator's leave, a second if it gets none. */
    void close() {
        if (!closing) {
            closing = true;
            Thread.ofVirtual().name("vxseal-leave").start(() -> {
                try {
                    stack.close();
                } catch (Throwable e) {
                    LOG.error("the group was not left in good order", e);
                } finally {
                    closed.complete(null);
                }
            });
        }
    }
}
