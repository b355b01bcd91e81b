package io.vxseal.kernel.xfrm;

/** An outgoing XFRM policy as the kernel lists it: of this plugin, or of another maker. */
public interface OutgoingPolicy {}
