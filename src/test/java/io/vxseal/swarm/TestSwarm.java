package io.vxseal.swarm;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;

/** A swarm's CA and node certificates, of the shape that swarmkit gives them, made with openssl. */
public final class TestSwarm {
    private static final String UNLOCK_KEY = "SWMKEY-1-";

    private final Path folder;
    private final String id;

    private TestSwarm(Path folder, String id) {
        this.folder = folder;
        this.id = id;
    }

    /** A swarm with a root of its own. */
    public static TestSwarm make(Path folder, String id) {
        TestSwarm swarm = new TestSwarm(folder, id);
        swarm.root();
        return swarm;
    }

    private void root() {
        key("ca.key");
        run("openssl", "req", "-x509", "-new", "-key", "ca.key", "-subj", "/CN=swarm-ca", "-days", "7300",
                "-out", "ca.crt", "-addext", "keyUsage=critical,keyCertSign,cRLSign");
    }

    /** A swarm that shares this one's root, which no real one does. */
    public TestSwarm sibling(String otherId) {
        return new TestSwarm(folder, otherId);
    }

    /**
     * As {@code docker swarm ca --rotate} begins: from now on certificates are of a new root, and bring along the new root's
     * key as the old one signed it, for nodes that know the old one only.
     */
    public void replaceRoot() {
        run("mv", "ca.crt", "old.crt");
        run("mv", "ca.key", "old.key");
        root();
        try {
            Files.writeString(folder.resolve("ca.ext"), "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        run("openssl", "req", "-new", "-key", "ca.key", "-subj", "/CN=swarm-ca", "-out", "ca.csr");
        run("openssl", "x509", "-req", "-in", "ca.csr", "-CA", "old.crt", "-CAkey", "old.key", "-CAcreateserial",
                "-days", "7300", "-extfile", "ca.ext", "-out", "cross.crt");
    }

    /** As it ends for a node, once all nodes have new certificates. */
    public void trustNewRoot(Path node) {
        run("cp", "ca.crt", node.resolve("swarm-root-ca.crt").toString());
    }

    /** Writes a node's three files into a folder of its own, and answers with that. */
    public Path node(String node, Role role) {
        Path to = folder.resolve("node-" + node + "-" + id);
        issue(node, role, to);
        return to;
    }

    /** Writes or replaces a node's files, as a renewal does. */
    public void issue(String node, Role role, Path to) {
        String unit = role == Role.MANAGER ? "swarm-manager" : "swarm-worker";
        try {
            Files.createDirectories(to);
            Files.writeString(folder.resolve("ext"), """
                    basicConstraints=critical,CA:FALSE
                    keyUsage=critical,digitalSignature,keyEncipherment
                    extendedKeyUsage=serverAuth,clientAuth
                    subjectAltName=DNS:%s,DNS:%s,DNS:%s
                    """.formatted(unit, node, id));
            key("node.key");
            run("openssl", "req", "-new", "-key", "node.key", "-subj", "/O=" + id + "/OU=" + unit + "/CN=" + node,
                    "-out", "node.csr");
            run("openssl", "x509", "-req", "-in", "node.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                    "-days", "90", "-extfile", "ext", "-out", "node.crt");
            boolean rotating = Files.exists(folder.resolve("cross.crt"));
            if (rotating) {
                Files.writeString(folder.resolve("node.crt"), Files.readString(folder.resolve("cross.crt")), StandardOpenOption.APPEND);
            }
            Files.copy(folder.resolve(rotating ? "old.crt" : "ca.crt"), to.resolve("swarm-root-ca.crt"),
                    StandardCopyOption.REPLACE_EXISTING);
            Files.copy(folder.resolve("node.crt"), to.resolve("swarm-node.crt"), StandardCopyOption.REPLACE_EXISTING);
            Files.copy(folder.resolve("node.key"), to.resolve("swarm-node.key"), StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Returns an unlock key as {@code docker swarm unlock-key} prints it. OpenSSL can be given its octets: none ends a line or a string. */
    public static String unlockKey(long seed) {
        Random random = new Random(seed);
        byte[] octets = new byte[32];
        for (int i = 0; i < octets.length; i++) {
            do {
                octets[i] = (byte) random.nextInt();
            } while (octets[i] == 0 || octets[i] == '\n' || octets[i] == '\r');
        }
        return UNLOCK_KEY + Base64.getEncoder().withoutPadding().encodeToString(octets);
    }

    /** Encrypts a node's private key as a locked swarm's engine does, with swarmkit's headers in its block. */
    public void lock(Path node, String unlockKey, String... options) {
        Path key = node.resolve(SwarmIdentity.KEY);
        List<String> encrypt = new ArrayList<>(List.of("openssl", "pkcs8", "-topk8", "-in", "node.key", "-out", "locked.key",
                "-passout", "file:unlock", "-v2", "aes-256-cbc"));
        encrypt.addAll(options.length == 0 ? List.of("-v2prf", "hmacWithSHA1", "-iter", "2048") : List.of(options));
        try {
            Files.copy(key, folder.resolve("node.key"), StandardCopyOption.REPLACE_EXISTING);
            Files.write(folder.resolve("unlock"), Base64.getDecoder().decode(unlockKey.substring(UNLOCK_KEY.length())));
            run(encrypt.toArray(String[]::new));
            Files.writeString(key, Files.readString(folder.resolve("locked.key")).replaceFirst("KEY-----\n",
                    "KEY-----\nkek-version: 12\nraft-dek: EAESMDcvBNHrxzGP0zMCH5ESTFhVKZVPLwmVvrJGPCL0x/H+\n\n"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void key(String file) {
        run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", file);
    }

    public void run(String... command) {
        try {
            Process process = new ProcessBuilder(List.of(command)).directory(folder.toFile())
                    .redirectErrorStream(true).start();
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            if (!process.waitFor(20, TimeUnit.SECONDS) || process.exitValue() != 0) {
                throw new IllegalStateException(String.join(" ", command) + ": " + output);
            }
        } catch (IOException | InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
