package io.vxseal.cluster;

import java.net.InetAddress;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jgroups.Address;
import org.jgroups.BytesMessage;
import org.jgroups.Event;
import org.jgroups.Message;
import org.jgroups.PhysicalAddress;
import org.jgroups.View;
import org.jgroups.conf.ClassConfigurator;
import org.jgroups.protocols.Discovery;
import org.jgroups.protocols.PingData;
import org.jgroups.protocols.PingHeader;
import org.jgroups.stack.IpAddress;
import org.jgroups.util.ByteArray;
import org.jgroups.util.NameCache;
import org.jgroups.util.Responses;

/**
 * Finds members among the nodes that Docker named. Asks only those that are not in the group yet, so that a whole group
 * is silent.
 */
final class SwarmDiscovery extends Discovery {
    /** The same on every node: JGroups marks its headers with it. */
    private static final short ID = 1601;

    static {
        ClassConfigurator.addProtocol(ID, SwarmDiscovery.class);
    }

    private final Collection<InetAddress> nodes;
    private final int port;

    /** @param nodes looked at anew each time; safe for other threads to change */
    SwarmDiscovery(Collection<InetAddress> nodes, int port) {
        this.nodes = nodes;
        this.port = port;
        setId(ID);
        // Docker may have named any one node of the group: that one tells who its coordinator is, and where.
        returnEntireCache(true);
        // The coordinator tells a joiner where all the others are.
        sendCacheOnJoin(true);
    }

    /** False, although nodes come and go: that is what makes the coordinator send its cache. */
    @Override
    public boolean isDynamic() {
        return false;
    }

    /** Neither asks nor answers from now on: a member that leaves would else be merged back while it still speaks. */
    void leave() {
        is_leaving = true;
    }

    @Override
    protected void findMembers(List<Address> wanted, boolean initial, Responses responses) {
        if (is_leaving) {
            return;
        }
        PhysicalAddress here = physical(local_addr);
        PingData about = new PingData(local_addr, is_server, NameCache.get(local_addr), here);
        Set<PhysicalAddress> asked = strangers();
        if (wanted != null) {
            // JGroups lost track of where a member is: any other may know.
            about.mbrs(wanted);
            asked.addAll(known());
        }
        asked.remove(here);
        ByteArray octets = marshal(about);
        for (PhysicalAddress node : asked) {
            Message question = new BytesMessage(node).setArray(octets)
                    .putHeader(id, new PingHeader(PingHeader.GET_MBRS_REQ)
                            .clusterName(cluster_name).initialDiscovery(initial))
                    .setFlag(Message.Flag.OOB, Message.Flag.DONT_BUNDLE)
                    .setFlag(Message.TransientFlag.DONT_LOOPBACK);
            // A node that is down costs its connection timeout: each in a thread of its own.
            Thread.ofVirtual().name("vxseal-discovery").start(() -> ask(question));
        }
    }

    private void ask(Message question) {
        try {
            down_prot.down(question);
        } catch (RuntimeException e) {
            log.debug("%s: asking %s: %s", local_addr, question.getDest(), e.getMessage());
        } catch (Error e) {
            log.error("cannot ask " + question.getDest() + " for members", e);
        }
    }

    /** Nodes that Docker named and that are not in the group. */
    Set<PhysicalAddress> strangers() {
        Set<PhysicalAddress> strangers = new LinkedHashSet<>();
        nodes.forEach(node -> strangers.add(new IpAddress(node, port)));
        strangers.removeAll(known());
        return strangers;
    }

    private Set<PhysicalAddress> known() {
        Set<PhysicalAddress> known = new LinkedHashSet<>();
        View now = view;
        if (now != null) {
            for (Address member : now.getMembers()) {
                PhysicalAddress address = physical(member);
                if (address != null) {
                    known.add(address);
                }
            }
        }
        return known;
    }

    private PhysicalAddress physical(Address member) {
        return (PhysicalAddress) down_prot.down(new Event(Event.GET_PHYSICAL_ADDRESS, member));
    }
}
