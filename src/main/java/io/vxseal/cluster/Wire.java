package io.vxseal.cluster;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.cluster.Message.Announce;
import io.vxseal.cluster.Message.Ask;
import io.vxseal.cluster.Message.Away;
import io.vxseal.cluster.Message.Beat;
import io.vxseal.cluster.Message.Everything;
import io.vxseal.cluster.Message.Goodbye;
import io.vxseal.cluster.Message.Heard;
import io.vxseal.cluster.Message.Hello;
import io.vxseal.cluster.Message.Own;
import io.vxseal.cluster.Message.Recall;
import io.vxseal.cluster.Message.Recalled;
import io.vxseal.cluster.Message.Ring;
import io.vxseal.cluster.Message.Withdraw;
import io.vxseal.swarm.SwarmIdentity;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.security.cert.CertificateException;
import java.util.ArrayList;
import java.util.List;

/**
 * A message's octets: version (1), kind (1), then the kind's fields in the order of its record. Texts are modified
 * UTF-8 with a length (2) before them, lists and addresses have a count before them.
 */
final class Wire {
    /** Of one message; some 100,000 endpoints. */
    static final int LIMIT = 16 * 1024 * 1024;

    private static final byte VERSION = 1;
    private static final byte HELLO = 1;
    private static final byte EVERYTHING = 2;
    private static final byte ANNOUNCE = 3;
    private static final byte WITHDRAW = 4;
    private static final byte BEAT = 5;
    private static final byte ASK = 6;
    private static final byte RING = 7;
    private static final byte GOODBYE = 8;
    private static final byte RECALL = 9;
    private static final byte RECALLED = 10;
    private static final byte AWAY = 11;
    private static final byte HEARD = 12;

    private static final int LONGEST_ID = 128;
    /** Of an endpoint: two ids of one character, an IPv4 address with prefix, a MAC address. */
    private static final int LEAST_ENDPOINT = 2 * 3 + 5 + 1 + 6;
    private static final int MOST_CERTIFICATES = 8;

    private Wire() {}

    static byte[] encode(Message message) {
        ByteArrayOutputStream octets = new ByteArrayOutputStream();
        try (DataOutputStream out = new DataOutputStream(octets)) {
            out.writeByte(VERSION);
            switch (message) {
                case Hello(var vtep, var ring, var chain, var signature) -> {
                    out.writeByte(HELLO);
                    write(out, vtep);
                    write(out, ring);
                    List<byte[]> ders = SwarmIdentity.encode(chain);
                    out.writeByte(ders.size());
                    for (byte[] der : ders) {
                        out.writeShort(der.length);
                        out.write(der);
                    }
                    out.writeShort(signature.length);
                    out.write(signature);
                }
                case Everything(var revision, var endpoints) -> {
                    out.writeByte(EVERYTHING);
                    out.writeLong(revision);
                    write(out, endpoints);
                }
                case Announce(var revision, var endpoint) -> {
                    out.writeByte(ANNOUNCE);
                    out.writeLong(revision);
                    write(out, endpoint);
                }
                case Withdraw(var revision, var id) -> {
                    out.writeByte(WITHDRAW);
                    out.writeLong(revision);
                    write(out, id);
                }
                case Beat(var revision, var ring, var rotate) -> {
                    out.writeByte(BEAT);
                    out.writeLong(revision);
                    write(out, ring);
                    out.writeBoolean(rotate);
                }
                case Ask() -> out.writeByte(ASK);
                case Goodbye() -> out.writeByte(GOODBYE);
                case Away() -> out.writeByte(AWAY);
                case Heard() -> out.writeByte(HEARD);
                case Recall() -> out.writeByte(RECALL);
                case Recalled(var endpoints) -> {
                    out.writeByte(RECALLED);
                    write(out, endpoints);
                }
                case Ring(var ring) -> {
                    out.writeByte(RING);
                    out.writeInt(ring.length);
                    out.write(ring);
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return octets.toByteArray();
    }

    /** @throws RefusedException if the octets are not exactly one message */
    static Message decode(byte[] octets) throws RefusedException {
        try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(octets))) {
            int version = in.readByte();
            if (version != VERSION) {
                throw new RefusedException("message of version %d, this node speaks %d".formatted(version, VERSION));
            }
            int kind = in.readByte();
            Message message = switch (kind) {
                case HELLO -> hello(in);
                case EVERYTHING -> new Everything(in.readLong(), owns(in));
                case ANNOUNCE -> new Announce(in.readLong(), own(in));
                case WITHDRAW -> new Withdraw(in.readLong(), id(in));
                case BEAT -> new Beat(in.readLong(), mark(in), yesOrNo(in));
                case ASK -> new Ask();
                case GOODBYE -> new Goodbye();
                case AWAY -> new Away();
                case HEARD -> new Heard();
                case RECALL -> new Recall();
                case RECALLED -> new Recalled(owns(in));
                case RING -> new Ring(exactly(in, in.readInt(), SignedRing.LIMIT));
                default -> throw new RefusedException("message of unknown kind " + kind);
            };
            if (in.available() > 0) {
                throw new RefusedException("message with %d octets after its end".formatted(in.available()));
            }
            return message;
        } catch (IOException | IllegalArgumentException | CertificateException e) {
            throw new RefusedException("message that cannot be read: " + e);
        }
    }

    private static Hello hello(DataInputStream in) throws IOException, CertificateException {
        InetAddress vtep = address(in);
        SignedRing.Mark ring = mark(in);
        int certificates = in.readUnsignedByte();
        if (certificates > MOST_CERTIFICATES) {
            throw new IOException(certificates + " certificates");
        }
        List<byte[]> ders = new ArrayList<>();
        for (int i = 0; i < certificates; i++) {
            ders.add(exactly(in, in.readUnsignedShort(), Character.MAX_VALUE));
        }
        byte[] signature = exactly(in, in.readUnsignedShort(), Character.MAX_VALUE);
        return new Hello(vtep, ring, SwarmIdentity.decode(ders), signature);
    }

    private static void write(DataOutputStream out, List<Own> endpoints) throws IOException {
        out.writeInt(endpoints.size());
        for (Own endpoint : endpoints) {
            write(out, endpoint);
        }
    }

    private static List<Own> owns(DataInputStream in) throws IOException {
        int count = in.readInt();
        if (count < 0 || count > in.available() / LEAST_ENDPOINT) {
            throw new IOException(count + " endpoints in " + in.available() + " octets");
        }
        List<Own> endpoints = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            endpoints.add(own(in));
        }
        return endpoints;
    }

    private static void write(DataOutputStream out, Own endpoint) throws IOException {
        write(out, endpoint.id());
        write(out, endpoint.address().address());
        out.writeByte(endpoint.address().prefix());
        out.write(endpoint.mac().octets());
    }

    private static Own own(DataInputStream in) throws IOException {
        Own.Id id = id(in);
        Cidr address = new Cidr(address(in), in.readUnsignedByte());
        return new Own(id, address, MacAddress.of(exactly(in, MacAddress.ETH_ALEN, MacAddress.ETH_ALEN)));
    }

    private static void write(DataOutputStream out, Own.Id id) throws IOException {
        out.writeUTF(id.network());
        out.writeUTF(id.endpoint());
    }

    private static Own.Id id(DataInputStream in) throws IOException {
        return new Own.Id(text(in), text(in));
    }

    private static void write(DataOutputStream out, SignedRing.Mark mark) throws IOException {
        out.writeLong(mark.version());
        out.writeUTF(mark.author());
        out.writeLong(mark.made());
    }

    private static SignedRing.Mark mark(DataInputStream in) throws IOException {
        long version = in.readLong();
        String author = in.readUTF();
        return new SignedRing.Mark(version, author, in.readLong());
    }

    private static void write(DataOutputStream out, InetAddress address) throws IOException {
        byte[] octets = address.getAddress();
        out.writeByte(octets.length);
        out.write(octets);
    }

    private static InetAddress address(DataInputStream in) throws IOException {
        // An unknown length makes an UnknownHostException, which is an IOException.
        return InetAddress.getByAddress(exactly(in, in.readUnsignedByte(), 16));
    }

    private static String text(DataInputStream in) throws IOException {
        String text = in.readUTF();
        if (text.isEmpty() || text.length() > LONGEST_ID) {
            throw new IOException("id of %d characters".formatted(text.length()));
        }
        return text;
    }

    private static boolean yesOrNo(DataInputStream in) throws IOException {
        int octet = in.readUnsignedByte();
        if (octet > 1) {
            throw new IOException("%d for yes or no".formatted(octet));
        }
        return octet == 1;
    }

    private static byte[] exactly(DataInputStream in, int length, int most) throws IOException {
        if (length < 0 || length > most || length > in.available()) {
            throw new IOException("%d octets announced, %d there".formatted(length, in.available()));
        }
        byte[] octets = new byte[length];
        in.readFully(octets);
        return octets;
    }
}
