package io.vxseal.kernel.firewall;

/** A family of tables, by nft's word and its number in {@code linux/netfilter.h}. */
enum NftFamily {
    INET("inet", 1),
    IP("ip", 2),
    BRIDGE("bridge", 7),
    IP6("ip6", 10);

    final String word;
    final int number;

    NftFamily(String word, int number) {
        this.word = word;
        this.number = number;
    }
}
