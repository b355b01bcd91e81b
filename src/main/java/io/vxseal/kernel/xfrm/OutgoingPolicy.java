package io.vxseal.kernel.xfrm;

/** An outgoing XFRM policy as the kernel lists it: one of ours, or another maker's. */
public sealed interface OutgoingPolicy permits SecurityPolicy, ForeignPolicy {}
