package io.vxseal.swarm;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.security.InvalidKeyException;
import java.util.Arrays;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.Cipher;
import javax.crypto.EncryptedPrivateKeyInfo;
import javax.crypto.Mac;
import javax.crypto.spec.PBEParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * Decryption of a private key as swarmkit encrypts it in an autolocked swarm (ca/pkcs8): PKCS#8 with PBES2 (RFC 8018), of which the
 * passphrase is the {@link UnlockKey}. The platform's own ciphers for PBES2 take a passphrase of characters, and these octets are none.
 */
final class EncryptedKey {
    /** The platform's name of PBES2 with PBKDF2 and AES-CBC. swarmkit has SHA-1 and 256 bits. */
    private static final Pattern SCHEME = Pattern.compile("PBEWith(HmacSHA(?:1|224|256|384|512))AndAES_(128|256)");

    /** swarmkit has 2048. More would hold up the thread that decrypts. */
    private static final int MOST_ITERATIONS = 100_000;

    private EncryptedKey() {}

    /**
     * Returns the key in PKCS#8, which the caller wipes.
     *
     * @throws GeneralSecurityException if the structure is not as above, or this is not its key
     */
    static byte[] decrypt(byte[] der, UnlockKey key) throws GeneralSecurityException {
        EncryptedPrivateKeyInfo info = parse(der);
        Matcher scheme = SCHEME.matcher(info.getAlgParameters().toString());
        PBEParameterSpec parameters = info.getAlgParameters().getParameterSpec(PBEParameterSpec.class);
        if (!scheme.matches() || parameters.getIterationCount() < 1 || parameters.getIterationCount() > MOST_ITERATIONS) {
            throw new InvalidKeyException("not PBES2 with AES-CBC and 1 to %d iterations".formatted(MOST_ITERATIONS));
        }
        byte[] derived = derive(scheme.group(1), key, parameters, Integer.parseInt(scheme.group(2)) / Byte.SIZE);
        try {
            Cipher cipher = Cipher.getInstance("AES/CBC/PKCS5Padding");
            cipher.init(Cipher.DECRYPT_MODE, new SecretKeySpec(derived, "AES"), parameters.getParameterSpec());
            return cipher.doFinal(info.getEncryptedData());
        } finally {
            Arrays.fill(derived, (byte) 0);
        }
    }

    private static EncryptedPrivateKeyInfo parse(byte[] der) throws InvalidKeyException {
        try {
            EncryptedPrivateKeyInfo info = new EncryptedPrivateKeyInfo(der);
            if (info.getAlgParameters() != null) {
                return info;
            }
        } catch (IOException _) {
            // answered as a structure without parameters
        }
        throw new InvalidKeyException("no encrypted key in PKCS#8");
    }

    /** PBKDF2, RFC 8018, section 5.2. */
    private static byte[] derive(String prf, UnlockKey key, PBEParameterSpec parameters, int length) throws GeneralSecurityException {
        Mac mac = Mac.getInstance(prf);
        mac.init(new SecretKeySpec(key.octets(), prf));
        ByteBuffer derived = ByteBuffer.allocate(length);
        for (int block = 1; derived.hasRemaining(); block++) {
            mac.update(parameters.getSalt());
            byte[] u = mac.doFinal(ByteBuffer.allocate(Integer.BYTES).putInt(block).array());
            byte[] t = u.clone();
            for (int i = 1; i < parameters.getIterationCount(); i++) {
                mac.update(u);
                mac.doFinal(u, 0);
                for (int k = 0; k < t.length; k++) {
                    t[k] ^= u[k];
                }
            }
            derived.put(t, 0, Math.min(t.length, derived.remaining()));
            Arrays.fill(t, (byte) 0);
            Arrays.fill(u, (byte) 0);
        }
        return derived.array();
    }
}
