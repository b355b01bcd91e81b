package io.vxseal.overlay.watch;

import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/**
 * Paths on which packets as large as a network promises are lost, until one passes, or nothing has shown for some looks whether they are still.
 *
 * <p>Pure. Not safe for use by several threads at once.
 */
public final class LossyPaths {
    /** Looks after which nothing is known any more, if none shows whether packets are still lost. */
    static final int FORGOTTEN = 4;

    private final Map<Path, Loss> losses = new HashMap<>();

    /** A path to a node, by one network. */
    public record Path(String node, String network) {}

    /**
     * A loss.
     *
     * @param unclear looks since then which did not show whether packets are still lost
     * @param answered whether anything was answered at the last look
     */
    private record Loss(Observation.LostPackets packets, boolean encrypted, int unclear, boolean answered) {}

    /** Takes a look at which large packets were lost. */
    public void lost(Path path, boolean encrypted, int mtu) {
        losses.put(path, new Loss(new Observation.LostPackets(path.node, path.network, mtu), encrypted, 0, true));
    }

    /** Takes a look at which one passed. */
    public void passed(Path path) {
        losses.remove(path);
    }

    /**
     * Takes a look that did not show it.
     *
     * @param answered whether anything was answered
     */
    public void unclear(Path path, boolean answered) {
        losses.computeIfPresent(path, (_, before) -> before.unclear + 1 == FORGOTTEN ? null
                : new Loss(before.packets, before.encrypted, before.unclear + 1, answered));
    }

    /**
     * Forgets the paths that are gone, and counts a look for those that were left alone at it.
     *
     * @param isThere whether a network here has containers on a node, among the nodes that were to be looked at
     * @param isLeftAlone whether an encrypted path's node was not to be looked at
     */
    public void retain(Predicate<Path> isThere, Predicate<String> isLeftAlone) {
        losses.entrySet().removeIf(each -> !isThere.test(each.getKey())
                && !(each.getValue().encrypted && isLeftAlone.test(each.getKey().node)));
        List.copyOf(losses.keySet()).stream().filter(isThere.negate()).forEach(path -> unclear(path, false));
    }

    /** Returns whether large packets are lost on a path. */
    public boolean contains(Path path) {
        return losses.containsKey(path);
    }

    /** Returns the nodes of encrypted paths that answered at the last look, so that another one can be taken although they are not in use. */
    public Set<String> answeringNodes() {
        return losses.values().stream().filter(loss -> loss.encrypted && loss.answered).map(loss -> loss.packets.node()).collect(Collectors.toSet());
    }

    /** Returns all losses, by network. */
    public List<Observation.LostPackets> all() {
        return losses.values().stream().map(Loss::packets).sorted(Comparator.comparing(Observation.LostPackets::network)).toList();
    }
}
