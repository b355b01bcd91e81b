package io.vxseal.swarm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SwarmIdentityTest {
    @TempDir
    private Path folder;

    /** Otherwise each would be kept in memory apart, however many a hostile node sends. */
    @Test
    void certificatesBehindTheRootMakeNoOtherChain() throws CertificateException {
        TestAuthority authority = new TestAuthority(folder, "s1");
        SwarmIdentity own = authority.node("node-1", Role.MANAGER);
        X509Certificate leaf = authority.node("node-2", Role.WORKER).chain().getFirst();
        X509Certificate root = own.roots().getFirst();
        X509Certificate other = new TestAuthority(folder.resolve("other"), "s2").node("node-9", Role.MANAGER).chain().getFirst();
        Signer signer = own.signer(List.of(leaf));
        assertThat(own.signer(List.of(leaf, root))).isSameAs(signer);
        assertThat(own.signer(List.of(leaf, root, other))).isSameAs(signer);
        assertThat(signer.name().node()).isEqualTo("node-2");
        assertThatThrownBy(() -> own.signer(List.of(other, leaf))).isInstanceOf(CertificateException.class);
        assertThatThrownBy(() -> own.signer(List.of(root))).isInstanceOf(CertificateException.class);
        assertThatThrownBy(() -> own.signer(List.of())).isInstanceOf(CertificateException.class);
    }

    @Test
    void knownChainHoldsUntilItsCertificateEnds() throws CertificateException {
        TestAuthority authority = new TestAuthority(folder, "s1");
        SwarmIdentity own = authority.node("node-1", Role.MANAGER);
        // Certificates count whole seconds.
        Instant end = Instant.now().plusSeconds(4);
        List<X509Certificate> chain = authority.node("node-2", Role.WORKER, end).chain();
        own.signer(chain);
        Awaitility.await().atMost(Duration.ofSeconds(20)).until(() -> Instant.now().isAfter(end));
        assertThatThrownBy(() -> own.signer(chain)).isInstanceOf(CertificateException.class);
    }
}
