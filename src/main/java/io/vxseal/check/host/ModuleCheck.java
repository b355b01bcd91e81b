package io.vxseal.check.host;

import io.vxseal.check.Finding;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Check whether the kernel's modules are loaded, because the plugin cannot load any. What a kernel has neither loaded, built in nor in its
 * folder of modules may be part of another one, so only those are missed that have always been by themselves.
 *
 * @param loaded list of loaded modules, as {@code /proc/modules}
 * @param modules folder of the running kernel's modules, as {@code /lib/modules/VERSION}
 */
public record ModuleCheck(Path loaded, Path modules) implements HostProbe {
    private static final String CHECK = "modules";

    /** Modules without which there is no network, or none that is encrypted. */
    private static final List<String> NEEDED = List.of("vxlan", "bridge", "veth", "xfrm_user", "esp4", "nf_tables");

    /** All that plugin/install loads. */
    static final List<String> USED = List.of("vxlan", "bridge", "veth", "xfrm_user", "xfrm_algo", "esp4", "esp6", "gcm", "seqiv", "echainiv",
            "xt_bpf", "xt_policy", "xt_owner", "ip6t_frag", "nft_compat", "nf_tables", "nft_xfrm", "nft_counter", "nft_objref",
            "nft_chain_nat", "nft_nat", "nft_numgen", "nft_reject_ipv4", "nf_conntrack_netlink");

    /** Creates the check of the running kernel. */
    public static ModuleCheck ofRunningKernel() throws IOException {
        return new ModuleCheck(Path.of("/proc/modules"),
                Path.of("/lib/modules", Files.readString(Path.of("/proc/sys/kernel/osrelease")).strip()));
    }

    @Override
    public List<Finding> run() throws IOException {
        if (!Files.exists(modules.resolve("modules.dep")) || !Files.exists(modules.resolve("modules.builtin"))) {
            return List.of(Finding.untried(CHECK, "not checked: %s has no list of modules".formatted(modules),
                    "after an update of the kernel, reboot; a kernel without modules has all that it can do: see what else is said here"));
        }
        // A kernel that can load no module has no such list.
        Set<String> here = new HashSet<>(Files.exists(loaded) ? names(loaded, line -> line.split(" ", 2)[0]) : Set.of());
        here.addAll(names(modules.resolve("modules.builtin"), ModuleCheck::nameOfFile));
        Set<String> loadable = names(modules.resolve("modules.dep"), line -> nameOfFile(line.split(":", 2)[0]));
        List<Finding> findings = new ArrayList<>();
        List<String> missing = NEEDED.stream().filter(Predicate.not(here::contains)).filter(Predicate.not(loadable::contains)).toList();
        if (!missing.isEmpty()) {
            findings.add(Finding.unfit(CHECK, "this kernel has no %s, which networks need".formatted(String.join(", ", missing)),
                    "install the distribution's full kernel (on Ubuntu linux-modules-extra-…), and boot it"));
        }
        List<String> idle = USED.stream().filter(Predicate.not(here::contains)).filter(loadable::contains).toList();
        if (!idle.isEmpty()) {
            findings.add(Finding.warning(CHECK,
                    "%s %s not loaded, and not every module is loaded by itself when the plugin needs it"
                            .formatted(String.join(", ", idle), idle.size() == 1 ? "is" : "are"),
                    "modprobe -a " + String.join(" ", idle)));
        }
        return findings.isEmpty() ? List.of(Finding.fit(CHECK, "all that this kernel has of the needed ones are loaded")) : findings;
    }

    private static Set<String> names(Path file, UnaryOperator<String> name) throws IOException {
        try (Stream<String> lines = Files.lines(file)) {
            return lines.map(name).map(ModuleCheck::normal).collect(Collectors.toSet());
        }
    }

    /** Returns the name of the module in a file such as {@code kernel/net/ipv4/esp4.ko.xz}. */
    private static String nameOfFile(String file) {
        String name = file.substring(file.lastIndexOf('/') + 1);
        int end = name.indexOf(".ko");
        return end < 0 ? name : name.substring(0, end);
    }

    /** Returns the name as the kernel lists it: files may have another sign between words. */
    private static String normal(String name) {
        return name.replace('-', '_');
    }
}
