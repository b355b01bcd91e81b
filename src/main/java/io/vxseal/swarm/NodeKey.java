package io.vxseal.swarm;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.InvalidKeyException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Reader of a node's private key, as the engine's file has it. No message has any of the file's content. */
final class NodeKey {
    /** RFC 7468, and before the base64 the headers of RFC 1421 that swarmkit writes: kek-version and raft-dek. */
    private static final Pattern PEM = Pattern.compile(
            "-----BEGIN ([A-Z0-9 ]+)-----\\s*(?:[A-Za-z-]+: [^\r\n]*\\R)*([^-]*)-----END \\1-----");

    /** The label that RFC 7468 has for an encrypted PKCS#8 key. */
    private static final String ENCRYPTED = "ENCRYPTED PRIVATE KEY";

    /** That label, and the header that RFC 1421 has for any encrypted key. */
    private static final Pattern LOCKED = Pattern.compile("-----BEGIN ENCRYPTED |Proc-Type: *4, *ENCRYPTED");

    private NodeKey() {}

    /**
     * Reads a key.
     *
     * @param file named in messages
     * @param unlockKey with which the key may be encrypted; empty if it is not known
     */
    static PrivateKey read(Path file, byte[] content, Optional<UnlockKey> unlockKey) throws IdentityException {
        String text = new String(content, StandardCharsets.US_ASCII);
        boolean locked = LOCKED.matcher(text).find();
        if (locked && unlockKey.isEmpty()) {
            throw new LockedKeyException(file + " is encrypted: the swarm is autolocked, and only the engine has the key that unlocks it");
        }
        byte[] der = decode(file, text, locked ? ENCRYPTED : "PRIVATE KEY");
        if (!locked) {
            return parse(der).orElseThrow(() -> new IdentityException(false, file + " is neither an EC, RSA nor EdDSA key"));
        }
        byte[] decrypted = decrypt(file, der, unlockKey.get());
        try {
            // A wrong key may decrypt to something that ends like a key does: once in 256 times.
            return parse(decrypted).orElseThrow(() -> wrongKey(file));
        } finally {
            Arrays.fill(decrypted, (byte) 0);
        }
    }

    private static byte[] decode(Path file, String text, String label) throws IdentityException {
        Matcher pem = PEM.matcher(text);
        if (pem.find() && pem.group(1).equals(label)) {
            try {
                return Base64.getMimeDecoder().decode(pem.group(2));
            } catch (IllegalArgumentException _) {
                // answered as another format
            }
        }
        throw new IdentityException(false, file + " is not a PKCS#8 private key in PEM");
    }

    private static byte[] decrypt(Path file, byte[] der, UnlockKey key) throws IdentityException {
        try {
            return EncryptedKey.decrypt(der, key);
        } catch (InvalidKeyException e) {
            throw new IdentityException(false, file + " is encrypted, but not as engines do it: " + e.getMessage());
        } catch (GeneralSecurityException _) {
            throw wrongKey(file);
        }
    }

    private static IdentityException wrongKey(Path file) {
        return new IdentityException(false, file + " cannot be decrypted with the unlock key that the engine has now: the file is damaged, or "
                + "the key was replaced a moment ago");
    }

    private static Optional<PrivateKey> parse(byte[] der) {
        for (String algorithm : List.of("EC", "RSA", "EdDSA")) {
            try {
                return Optional.of(KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(der)));
            } catch (GeneralSecurityException _) {
                // The next one.
            }
        }
        return Optional.empty();
    }
}
