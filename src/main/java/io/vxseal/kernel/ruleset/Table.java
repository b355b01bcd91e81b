package io.vxseal.kernel.ruleset;

import io.vxseal.kernel.libc.KernelException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A table of rules, and what it does with a packet.
 *
 * @param tool which shows and changes it
 * @param family nft's word for its packets: ip, ip6 or inet
 */
record Table(Tool tool, String family, String name, List<Chain> chains) {
    /** Jumps within jumps that the kernel allows, NFT_JUMP_STACK_SIZE. */
    private static final int DEEPEST = 16;

    Table {
        chains = List.copyOf(chains);
    }

    boolean concerns(Packet packet) {
        return family.equals("inet") || family.equals(packet.ipv6() ? "ip6" : "ip");
    }

    int rules() {
        return chains.stream().mapToInt(chain -> chain.rules().size()).sum();
    }

    boolean skipsTracking() {
        return chains.stream().anyMatch(chain -> chain.rules().stream().anyMatch(Rule::skipsTracking));
    }

    /** Returns where a packet is certainly dropped; empty if it may pass. */
    Optional<Drop> drop(Packet packet) throws KernelException {
        var walk = new Walk(packet);
        for (Chain chain : chains) {
            if (chain.hook().isPresent() && packet.meets(chain.hook().getAsInt())) {
                Optional<Drop> drop = walk.at(chain);
                if (drop.isPresent()) {
                    return drop;
                }
            }
        }
        return Optional.empty();
    }

    private Drop dropped(Chain chain, int rule) {
        boolean ufw = chains.stream().anyMatch(some -> some.name().matches("ufw6?-user-input"));
        return new Drop(tool, ufw, family, name, chain.name(), rule);
    }

    /**
     * What may become of a packet in a chain.
     *
     * @param passes whether it may be accepted
     * @param drop last place where it may be dropped
     * @param ends whether it may come to the chain's end
     */
    private record Fate(boolean passes, Optional<Drop> drop, boolean ends) {
        static final Fate NOTHING = new Fate(false, Optional.empty(), false);

        /** Returns the fate of a packet that has one of two. */
        Fate or(Fate other) {
            return new Fate(passes || other.passes, other.drop.isPresent() ? other.drop : drop, ends || other.ends);
        }

        Fate withoutEnd() {
            return new Fate(passes, drop, false);
        }
    }

    /** The way of one packet through the table. */
    private final class Walk {
        private final Packet packet;
        private final Map<String, Fate> fates = new HashMap<>();

        Walk(Packet packet) {
            this.packet = packet;
        }

        /** Returns where a chain at a hook certainly drops the packet. */
        Optional<Drop> at(Chain chain) throws KernelException {
            Fate fate = through(chain, 0);
            if (fate.passes || fate.ends && !chain.drops()) {
                return Optional.empty();
            }
            return fate.ends ? Optional.of(dropped(chain, 0)) : fate.drop;
        }

        private Fate through(Chain chain, int depth) throws KernelException {
            Fate known = fates.get(chain.name());
            if (known != null) {
                return known;
            }
            Fate fate = Fate.NOTHING;
            boolean goesOn = true;
            for (int index = 0; index < chain.rules().size() && goesOn; index++) {
                Step step = chain.rules().get(index).apply(packet);
                goesOn = !step.certain();
                for (Verdict verdict : step.verdicts()) {
                    Fate here = fate(verdict, chain, index + 1, depth);
                    boolean isJump = verdict.kind() == Verdict.Kind.JUMP || verdict.kind() == Verdict.Kind.NEXT_RULE;
                    goesOn |= isJump && here.ends;
                    fate = fate.or(isJump ? here.withoutEnd() : here);
                }
            }
            fate = goesOn ? fate.or(new Fate(false, Optional.empty(), true)) : fate;
            fates.put(chain.name(), fate);
            return fate;
        }

        private Fate fate(Verdict verdict, Chain chain, int rule, int depth) throws KernelException {
            return switch (verdict.kind()) {
                case ACCEPT -> new Fate(true, Optional.empty(), false);
                case DROP -> new Fate(false, Optional.of(dropped(chain, rule)), false);
                case NEXT_RULE, RETURN -> new Fate(false, Optional.empty(), true);
                case JUMP, GOTO -> {
                    Optional<Chain> next = chains.stream().filter(some -> some.name().equals(verdict.chain())).findFirst();
                    // A chain that is gone by now, or a circle, which the kernel refuses: nothing is certain.
                    yield next.isEmpty() || depth == DEEPEST
                            ? new Fate(true, Optional.empty(), true)
                            : through(next.get(), depth + 1);
                }
            };
        }
    }
}
