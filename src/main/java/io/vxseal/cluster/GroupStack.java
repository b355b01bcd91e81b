package io.vxseal.cluster;

import java.net.InetAddress;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.jgroups.Address;
import org.jgroups.BytesMessage;
import org.jgroups.Global;
import org.jgroups.JChannel;
import org.jgroups.MergeView;
import org.jgroups.Receiver;
import org.jgroups.View;
import org.jgroups.protocols.FD_ALL3;
import org.jgroups.protocols.FRAG2;
import org.jgroups.protocols.TCP;
import org.jgroups.protocols.UNICAST3;
import org.jgroups.protocols.VERIFY_SUSPECT2;
import org.jgroups.protocols.pbcast.GMS;
import org.jgroups.protocols.pbcast.NAKACK2;
import org.jgroups.protocols.pbcast.STABLE;

/**
 * The group as JGroups makes it: who is in, and messages to one of them that arrive in the order of sending. The only
 * class that others of this room meet JGroups through; loading it costs the time and memory that JGroups costs.
 */
final class GroupStack implements AutoCloseable {
    /** A member that was not heard of for so long is suspected; guests under emulation pause for seconds. */
    private static final long DEAD_MILLIS = 15_000;
    private static final long HEARTBEAT_MILLIS = 3_000;
    /** Given to a suspect to protest. */
    private static final long VERIFY_MILLIS = 2_000;
    /** So long after its last sign of life a member is out of the view at the latest; sooner if its connections break. */
    static final Duration DETECTION = Duration.ofMillis(DEAD_MILLIS + HEARTBEAT_MILLIS + VERIFY_MILLIS);
    /** For a connection to open; a node that is down answers nothing at all. */
    private static final int CONNECT_MILLIS = 2_000;
    /**
     * For answers to discovery and to a request to join, when there is somebody to ask. Short: among nodes that start
     * together nobody is a coordinator yet and all wait it out, while two groups merge in a third of a second.
     */
    private static final long JOIN_MILLIS = 1_000;
    private static final long JOIN_ALONE_MILLIS = 100;
    /**
     * Of members that start together one may ask another that cannot answer yet, and each attempt takes up to two seconds; by
     * itself and then merged, it is in the group sooner.
     */
    private static final int JOIN_ATTEMPTS = 4;
    /** MERGE3's own turns are only the net under {@link #seek}. */
    private static final long MERGE_MIN_MILLIS = 5_000;
    private static final long MERGE_MAX_MILLIS = 10_000;
    /** Buffers per connection; most messages here are of 100 octets, and JGroups' 64 kB times 100 nodes add up. */
    private static final int BUNDLE_OCTETS = 16_000;
    private static final int FRAGMENT_OCTETS = 12_000;

    static {
        // Of what JGroups can put on the wire, a seventh is used here; it would load all of it.
        System.setProperty(Global.MAGIC_NUMBER_FILE, "io/vxseal/cluster/jgroups-classes.xml");
        System.setProperty(Global.PROTOCOL_ID_FILE, "io/vxseal/cluster/jgroups-protocols.xml");
    }

    /** What happens in the group. Called by JGroups' threads: return soon. */
    interface Events {
        /**
         * Takes the group's new view.
         *
         * @param members the coordinator first
         * @param merged whether groups that lived apart have met
         */
        void view(List<UUID> members, boolean merged);

        /** A member of another view of the group is there to speak with; the views may merge soon. */
        void met(UUID stranger);

        void message(UUID from, byte[] octets);
    }

    private final TlsSockets sockets;
    private final SwarmDiscovery discovery;
    private final PromptMerge merge;
    final JChannel channel;
    private final String group;

    /**
     * Makes the stack, opens nothing yet.
     *
     * @param external where others reach this node, if not at the address it binds
     * @param nodes that may be members, changed while the group lives
     * @throws Exception what JGroups throws
     */
    GroupStack(SwarmIdentity identity, InetAddress bind, Optional<InetAddress> external, int port,
            Collection<InetAddress> nodes, Refusals refusals, Events events) throws Exception {
        this.group = identity.name().swarm();
        this.sockets = new TlsSockets(identity, refusals);
        this.discovery = new SwarmDiscovery(nodes, port);
        this.merge = new PromptMerge(stranger -> events.met(uuid(stranger)));
        merge.setMaxInterval(MERGE_MAX_MILLIS).setMinInterval(MERGE_MIN_MILLIS);
        TCP tcp = new TCP();
        tcp.setBindAddress(bind).setBindPort(port).setPortRange(0).useVirtualThreads(true).setSocketFactory(sockets);
        external.ifPresent(tcp::setExternalAddr);
        if (!bind.isAnyLocalAddress()) {
            // The others see the address that Docker told them, and so do firewalls between.
            tcp.setClientBindAddr(bind);
        }
        tcp.disableDiagnostics();
        // One sender per destination: a node that is down must not delay what goes to the others.
        tcp.bundler("pd").getBundler().setMaxSize(BUNDLE_OCTETS);
        tcp.setBufferedInputStreamSize(BUNDLE_OCTETS).setBufferedOutputStreamSize(BUNDLE_OCTETS);
        // A connection that breaks is a hint; FD_ALL3 would take its whole time.
        tcp.enableSuspectEvents(true).logDetails(false).setSockConnTimeout(CONNECT_MILLIS).setMaxLength(Wire.LIMIT);
        tcp.logAcceptError(false);
        this.channel = new JChannel(
                tcp,
                discovery,
                merge,
                new FD_ALL3().setTimeout(DEAD_MILLIS).setInterval(HEARTBEAT_MILLIS),
                new VERIFY_SUSPECT2().setTimeout(VERIFY_MILLIS),
                new NAKACK2().useMcastXmit(false),
                new UNICAST3(),
                new STABLE(),
                new GMS().setJoinTimeout(nodes.isEmpty() ? JOIN_ALONE_MILLIS : JOIN_MILLIS)
                        .setMaxJoinAttempts(JOIN_ATTEMPTS).printLocalAddress(false),
                new FRAG2().setFragSize(FRAGMENT_OCTETS));
        channel.setName(identity.name().node());
        channel.setDiscardOwnMessages(true);
        channel.setReceiver(new Receiver() {
            @Override
            public void receive(org.jgroups.Message message) {
                byte[] octets = new byte[message.getLength()];
                System.arraycopy(message.getArray(), message.getOffset(), octets, 0, octets.length);
                events.message(uuid(message.getSrc()), octets);
            }

            @Override
            public void viewAccepted(View view) {
                events.view(view.getMembers().stream().map(GroupStack::uuid).toList(), view instanceof MergeView);
            }
        });
    }

    /**
     * Joins the group, or starts it. Takes a few seconds if there is somebody to ask.
     *
     * @throws Exception what JGroups throws, as when the port is taken
     */
    void connect() throws Exception {
        channel.connect(group);
    }

    /** This member's id; there is one after {@link #connect}. */
    UUID self() {
        return uuid(channel.getAddress());
    }

    /** Looks for nodes outside the group, and for other views of it, at once. */
    void seek() {
        merge.sendInfo();
    }

    /** Whether all nodes that Docker named are in the group. */
    boolean complete() {
        return discovery.strangers().isEmpty();
    }

    void reload(SwarmIdentity identity) {
        sockets.reload(identity);
    }

    /** @throws Exception what JGroups throws, as when the group is closed */
    void send(UUID to, byte[] octets) throws Exception {
        Address address = new org.jgroups.util.UUID(to.getMostSignificantBits(), to.getLeastSignificantBits());
        channel.send(new BytesMessage(address, octets));
    }

    /** Leaves the group, so that the others know at once. */
    @Override
    public void close() {
        discovery.leave();
        channel.close();
    }

    private static UUID uuid(Address address) {
        org.jgroups.util.UUID uuid = (org.jgroups.util.UUID) address;
        return new UUID(uuid.getMostSignificantBits(), uuid.getLeastSignificantBits());
    }
}
