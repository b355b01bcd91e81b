package io.vxseal.cluster.message;

import io.vxseal.cluster.record.EndpointRecord;
import io.vxseal.cluster.record.NetworkRecord;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.cluster.record.NodeReport;
import io.vxseal.cluster.record.PathReport;
import io.vxseal.cluster.record.RecordMark;
import io.vxseal.cluster.record.RefusedClaim;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * A message of a session between a node and a hub. A field that is missing has the default that the record gives it, and one that is
 * unknown is ignored, so that versions that know more or less understand each other.
 */
public sealed interface Message {

    /**
     * Opens a session; from a node to a hub.
     *
     * @param ring the newest ring that the node has
     * @param rotate whether the node wants that ring replaced before its time
     */
    record Hello(RingMark ring, boolean rotate) implements Message {
        public Hello {
            ring = orNone(ring);
        }
    }

    /**
     * Answers a {@link Hello}.
     *
     * @param hub identifies the hub's process
     * @param readyMillis for which that process has known what the other hubs know
     * @param ring the newest ring that the hub has
     * @param rotate whether the hub wants that ring replaced before its time
     * @param incarnation of the receiver's record that the hub has; 0 for none
     * @param revision of that record
     */
    record Welcome(long hub, long readyMillis, RingMark ring, boolean rotate, long incarnation, long revision) implements Message {
        /** A year: more than any process runs, and no overflow in nanoseconds. */
        private static final long LONGEST = 365L * 24 * 3600 * 1000;

        public Welcome {
            ring = orNone(ring);
            readyMillis = Math.clamp(readyMillis, 0, LONGEST);
        }
    }

    /**
     * Asks for the records of networks, from now on; from a node to a hub.
     *
     * @param networks ids, in place of those before
     * @param everything whether the sender is a hub itself and wants the records of all its receiver's sessions
     * @param held records that hubs sent before their sessions broke, and that no hub has sent since. A hub that has a later one of these
     *     nodes sends it, without networks if the node has nothing in those that the sender wants
     */
    record Subscribe(Set<String> networks, boolean everything, List<RecordMark> held) implements Message {
        /** Most held records in one message. */
        public static final int MOST_HELD = 2000;

        /** Asks for the records of networks; the sender holds none from before. */
        public Subscribe(Set<String> networks, boolean everything) {
            this(networks, everything, List.of());
        }

        public Subscribe {
            if (held != null && held.size() > MOST_HELD) {
                throw new IllegalArgumentException("subscription with %d held records".formatted(held.size()));
            }
            if (networks != null && networks.size() > NodeRecord.MOST_NETWORKS) {
                throw new IllegalArgumentException("subscription to %d networks".formatted(networks.size()));
            }
            if (networks != null) {
                networks.forEach(network -> EndpointRecord.checkId("network", network));
            }
            held = held == null ? List.of() : List.copyOf(held);
            networks = networks == null ? Set.of() : Collections.unmodifiableSet(new TreeSet<>(networks));
        }
    }

    /** Replaces the sender's record; from a node to a hub. */
    record Announce(NodeRecord record) implements Message {
        public Announce {
            if (record == null) {
                throw new IllegalArgumentException("announcement without a record");
            }
        }
    }

    /**
     * Answers an {@link Announce}.
     *
     * @param incarnation of the record that the hub has now
     * @param revision of that record
     * @param refused the claims in it that have no effect; not all if there are many
     */
    record Acknowledge(long incarnation, long revision, List<RefusedClaim> refused) implements Message {
        /** Most refused claims in one message. */
        public static final int MOST_REFUSED = 100;

        public Acknowledge {
            refused = refused == null ? List.of() : List.copyOf(refused);
        }
    }

    /**
     * Records of other nodes; from a hub to a node.
     *
     * @param records in place of those before
     * @param gone nodes whose records the receiver must forget
     * @param complete whether the hub has now sent all that the receiver subscribed to
     * @param removed those of all these nodes that were removed from the swarm, by the list of nodes of the hub's engine; to other hubs only
     */
    record Records(List<NodeRecord> records, List<String> gone, boolean complete, List<String> removed) implements Message {
        /** Names no removed nodes. */
        public Records(List<NodeRecord> records, List<String> gone, boolean complete) {
            this(records, gone, complete, List.of());
        }

        public Records {
            records = records == null ? List.of() : List.copyOf(records);
            gone = gone == null ? List.of() : List.copyOf(gone);
            removed = removed == null ? List.of() : List.copyOf(removed);
        }
    }

    /** Carries a signed ring, not yet verified. */
    record Ring(byte[] octets) implements Message {
        /** Most octets of a ring; one of three keys with a chain of two certificates has about 1300. */
        public static final int LIMIT = 32 * 1024;

        public Ring {
            if (octets == null || octets.length > LIMIT) {
                throw new IllegalArgumentException("ring of %d octets".formatted(octets == null ? 0 : octets.length));
            }
        }
    }

    /**
     * Has the ring of the sender; answers a {@link Ping}, and comes when either changes.
     *
     * @param rotate whether the sender, or a node that it received this from, wants this ring replaced before its time
     */
    record Heartbeat(RingMark ring, boolean rotate) implements Message {
        public Heartbeat {
            ring = orNone(ring);
        }
    }

    /**
     * Names keys that nodes have which are not of the swarm any more; from a manager to a hub, when it learns of some.
     *
     * @param tags of keys; those that the receiver does not have may be of a ring that it has yet to take
     */
    record Revoked(Set<Integer> tags) implements Message {
        /** More than two rings have. */
        public static final int MOST_TAGS = 8;

        public Revoked {
            if (tags != null && tags.size() > MOST_TAGS) {
                throw new IllegalArgumentException("%d revoked keys".formatted(tags.size()));
            }
            tags = tags == null ? Set.of() : Set.copyOf(tags);
        }
    }

    /** Asks for a {@link Heartbeat}. */
    record Ping() implements Message {}

    /** Asks what the sender's node announced before: it does not know any more. From a node to a hub, before it announces anything. */
    record RecallRequest() implements Message {}

    /** Answers a {@link RecallRequest}; a hub's own node gets what several nodes remember. */
    record RecallReply(List<NetworkRecord> networks) implements Message {
        /** Most networks in one message, and most endpoints in all of them. */
        public static final int MOST = 8 * NodeRecord.MOST_ENDPOINTS;

        public RecallReply {
            networks = networks == null ? List.of() : List.copyOf(networks);
            int endpoints = networks.stream().mapToInt(network -> network.endpoints().size()).sum();
            if (networks.size() > MOST || endpoints > MOST) {
                throw new IllegalArgumentException("recall of %d endpoints in %d networks".formatted(endpoints, networks.size()));
            }
        }
    }

    /**
     * The sender's node left the swarm: its record ends. From a node to a hub.
     *
     * @param incarnation of the record that ends
     * @param revision later than all of that record
     */
    record Goodbye(long incarnation, long revision) implements Message {
        public Goodbye {
            if (incarnation < 0 || incarnation > NodeRecord.GREATEST || revision < 0 || revision > NodeRecord.GREATEST) {
                throw new IllegalArgumentException("end of incarnation %d, revision %d".formatted(incarnation, revision));
            }
        }
    }

    /**
     * Asks for the reports of all nodes; from a node to a hub.
     *
     * @param inquiry named in the answers
     */
    record Inquiry(long inquiry) implements Message {}

    /**
     * Asks for the receiver's report; from a hub to a node.
     *
     * @param round named in the answer
     */
    record ReportRequest(long round) implements Message {}

    /** Answers a {@link ReportRequest}. */
    record Report(long round, NodeReport report) implements Message {
        public Report {
            if (report == null) {
                throw new IllegalArgumentException("report without content");
            }
        }
    }

    /**
     * Answers an {@link Inquiry}, in as many messages as it takes.
     *
     * @param reports of nodes
     * @param silent nodes that gave none
     * @param complete whether these are the last
     */
    record Reports(long inquiry, List<NodeReport> reports, List<String> silent, boolean complete) implements Message {
        /** Most reports, and most silent nodes, in one message; less than 100 KiB. */
        public static final int MOST = 25;

        public Reports {
            reports = reports == null ? List.of() : reports;
            silent = silent == null ? List.of() : silent;
            if (reports.size() > MOST || silent.size() > MOST) {
                throw new IllegalArgumentException("%d reports, %d silent nodes".formatted(reports.size(), silent.size()));
            }
            reports = List.copyOf(reports);
            silent = List.copyOf(silent);
        }
    }

    /**
     * Has the receiver check its paths to other nodes; from a hub to a node.
     *
     * @param round named in the answer
     */
    record CheckRequest(long round) implements Message {}

    /** Answers a {@link CheckRequest}. */
    record CheckResult(long round, PathReport report) implements Message {
        public CheckResult {
            if (report == null) {
                throw new IllegalArgumentException("check without a report");
            }
        }
    }

    private static RingMark orNone(RingMark mark) {
        return mark == null ? RingMark.NONE : mark;
    }
}
