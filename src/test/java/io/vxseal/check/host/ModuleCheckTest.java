package io.vxseal.check.host;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.check.Finding;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The lists of modules of kernels that have all, and of those that lack some. */
class ModuleCheckTest {
    @TempDir
    private Path folder;

    private List<Finding> run(List<String> loaded, List<String> builtIn, List<String> files) throws IOException {
        Path proc = Files.write(folder.resolve("loaded"), loaded.stream().map(name -> name + " 16384 0 - Live 0x0").toList());
        Files.write(folder.resolve("modules.builtin"), builtIn.stream().map(name -> "kernel/net/%s.ko".formatted(name)).toList());
        Files.write(folder.resolve("modules.dep"), files.stream().map(name -> "kernel/net/%s.ko.xz: kernel/x.ko.xz".formatted(name)).toList());
        return new ModuleCheck(proc, folder).run();
    }

    @Test
    void findsNothingWhereAllAreLoadedOrBuiltIn() throws Exception {
        List<Finding> findings = run(List.of("vxlan", "veth", "esp4", "xfrm_user", "nf_tables"), List.of("bridge"), List.of("vxlan", "veth"));
        assertThat(findings).singleElement().matches(Finding::fit).matches(finding -> !finding.warns());
    }

    @Test
    void namesThoseThatAreMissingAndThoseThatAreNotLoaded() throws Exception {
        List<Finding> findings = run(List.of("vxlan", "veth", "nf_tables"), List.of("bridge"), List.of("esp4", "xt-policy", "nft_xfrm", "floppy"));
        assertThat(findings).hasSize(2);
        assertThat(findings.get(0)).matches(finding -> !finding.fit()).extracting(Finding::found).asString()
                .contains("xfrm_user").doesNotContain("esp4", "vxlan", "bridge");
        assertThat(findings.get(1)).matches(Finding::warns).extracting(Finding::remedy).isEqualTo("modprobe -a esp4 xt_policy nft_xfrm");
    }

    @Test
    void judgesNoKernelWithoutLists() throws Exception {
        assertThat(new ModuleCheck(Path.of("/proc/modules"), folder.resolve("none")).run()).singleElement()
                .matches(finding -> finding.state() == Finding.State.UNTRIED && finding.found().startsWith("not checked"));
    }

    @Test
    void looksForThoseThatInstallationLoads() throws Exception {
        String script = Files.readString(Path.of("plugin/install"));
        int begin = script.indexOf("\nmodules='") + "\nmodules='".length();
        assertThat(Arrays.stream(script.substring(begin, script.indexOf('\'', begin)).strip().split("\\s+")).collect(Collectors.toList()))
                .isEqualTo(ModuleCheck.USED);
    }
}
