package io.vxseal.kernel.xfrm;

/** An XFRM policy as the kernel lists it: an outgoing one of this plugin, or one of another maker. */
public interface ListedPolicy {}
