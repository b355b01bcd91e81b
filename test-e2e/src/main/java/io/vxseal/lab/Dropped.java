package io.vxseal.lab;

/**
 * Incoming packets that a host drops by a rule of iptables, until this is closed.
 *
 * @param packets matches of the rule
 */
public record Dropped(Guest guest, String packets) implements AutoCloseable {

    /** Begins to drop them, before the host's own rules see them. */
    public static Dropped on(Guest guest, String packets) {
        Dropped dropped = new Dropped(guest, packets);
        dropped.change("-I");
        return dropped;
    }

    private void change(String how) {
        guest.sh("iptables -t raw %s PREROUTING %s -j DROP".formatted(how, packets));
    }

    @Override
    public void close() {
        change("-D");
    }
}
