package io.vxseal.encryption;

/** Numbers of states and policies, including the policy that blocks. */
public record Tally(int states, int policies) {}
