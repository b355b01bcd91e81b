package io.vxseal.swarm;

import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import javax.security.auth.x500.X500Principal;

/**
 * Name of a node by its swarm certificate.
 *
 * @param swarm the swarm's id, the subject's O
 * @param role the subject's OU
 * @param node the node's id, the subject's CN
 */
public record NodeName(String swarm, Role role, String node) {
    /** The ids that swarmkit makes are 25 of these; no comma, quote or escape can hide in a name that matches. */
    private static final Pattern ID = Pattern.compile("[0-9A-Za-z-]{1,64}");

    /**
     * Reads a certificate's subject. Strict, because the answer decides who may sign: three attributes, each once, each
     * a plain word.
     *
     * @throws CertificateException if the subject is not of a swarm node's shape
     */
    public static NodeName of(X509Certificate certificate) throws CertificateException {
        String subject = certificate.getSubjectX500Principal().getName(X500Principal.RFC2253);
        Map<String, String> attributes = new HashMap<>();
        for (String attribute : subject.split(",", -1)) {
            int equals = attribute.indexOf('=');
            if (equals < 0 || !ID.matcher(attribute.substring(equals + 1)).matches()
                    || attributes.put(attribute.substring(0, equals), attribute.substring(equals + 1)) != null) {
                throw new CertificateException("subject is not a swarm node's: " + subject);
            }
        }
        Role role = Role.of(attributes.getOrDefault("OU", ""))
                .orElseThrow(() -> new CertificateException("subject has no swarm role: " + subject));
        if (!attributes.keySet().equals(Set.of("O", "OU", "CN"))) {
            throw new CertificateException("subject is not a swarm node's: " + subject);
        }
        return new NodeName(attributes.getOrDefault("O", ""), role, attributes.getOrDefault("CN", ""));
    }
}
