package io.vxseal.check;

import io.vxseal.check.host.ClockCheck;
import io.vxseal.check.host.FirewallCheck;
import io.vxseal.check.host.HostProbe;
import io.vxseal.check.host.KernelParts;
import io.vxseal.check.host.ModuleCheck;
import io.vxseal.check.host.MountCheck;
import io.vxseal.check.host.MtuCheck;
import io.vxseal.check.host.Node;
import io.vxseal.check.host.PolicyCheck;
import io.vxseal.check.host.PortHolders;
import io.vxseal.check.host.TunnelCheck;
import io.vxseal.check.host.VpnCheck;
import io.vxseal.kernel.netns.Namespace;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Checks of a host before and after the plugin is installed. They change nothing on the host: what has to be tried is tried in a network
 * namespace of its own.
 *
 * @param host the host's network namespace
 * @param ports the plugin's
 * @param folders the engine's and the plugins'
 * @param node what the running plugin knows
 */
public record HostCheck(Namespace host, PortHolders.Ports ports, Folders folders, Node node) {
    private static final String OR_ANOTHER_KERNEL = "  # where one is not found: boot the distribution's full kernel";

    /**
     * Folders on a host.
     *
     * @param plugins of plugins' sockets
     * @param swarm the engine's swarm folder
     * @param sandboxes in which the engine mounts its network namespaces
     * @param networks in which the plugin mounts those of its networks
     */
    public record Folders(Path plugins, Path swarm, Path sandboxes, Path networks) {}

    /** Returns at least one finding for each check. */
    public List<Finding> run() {
        int port = ports.vxlan();
        var parts = new KernelParts(port);
        List<Finding> findings = new ArrayList<>();
        add(findings, "modules", "ls /lib/modules", () -> ModuleCheck.ofRunningKernel().run());
        add(findings, "VXLAN", "modprobe -a vxlan bridge" + OR_ANOTHER_KERNEL, parts::vxlan);
        add(findings, "ESP", "modprobe -a xfrm_user esp4 gcm seqiv" + OR_ANOTHER_KERNEL, parts::esp);
        add(findings, "foreign policies", "ip xfrm policy", new PolicyCheck(host, port, node));
        add(findings, "foreign VXLAN", "ip -d link show type vxlan", new TunnelCheck(host, port, folders.sandboxes, node));
        add(findings, "other VPNs", "ip -d link", new VpnCheck(host, port));
        add(findings, "ports", "ss -ulpn; ss -tlpn",
                new PortHolders(host, ports, List.of(folders.sandboxes, folders.networks), folders.swarm, node));
        add(findings, "firewall", "nft list ruleset", new FirewallCheck(host, ports, folders.swarm, node));
        add(findings, "MTU", "ip link", new MtuCheck(host, node));
        add(findings, "shared mount", "mount --make-shared /", new MountCheck(folders.plugins));
        add(findings, "clock", "timedatectl", new ClockCheck(folders.swarm));
        return findings;
    }

    private static void add(List<Finding> findings, String check, String remedy, HostProbe probe) {
        try {
            findings.addAll(probe.run());
        } catch (IOException failure) {
            findings.add(Finding.unfit(check, failure.getMessage(), remedy));
        }
    }
}
