/*
 * The floor: the least that programming a kernel can cost. It has the kernel hold the very objects that the plugin
 * would, in the same order, and does nothing else: no plans, no comparison, no record of what is installed. What the plugin
 * takes longer is its own.
 *
 *   floor programming PEERS MESSAGES CYCLES WITNESS           states and policies for so many peers
 *   floor sandbox ENDPOINTS MESSAGES CYCLES WITNESS DEVICE    entries of so many endpoints on a VXLAN device
 *
 * MESSAGES go to the kernel in one send. One cycle adds all, changes keys (not for a sandbox) and removes all; each
 * work's time is printed as a line of JSON. WITNESS is a shell command, run with the work's name behind it once all is
 * added, and once the keys have changed, of the first cycle: it lists what the kernel holds.
 *
 * To be run in a network namespace of its own: nothing of others' is looked at or spared.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum {
    MARK = 0x76D0C4E3,     /* of the firewall */
    REQID = 0xD0C4E3,
    LABEL = 0x76787365,    /* in the selector's user field: the plugin's own */
    VXLAN_PORT = 4789,
    BLOCK_PRIORITY = 1000,
    KEY = 16,              /* octets of a key, without salt */
    SALT = 4,
    ICV_BITS = 64,
    FIRST_TAG = 1,
    KEYS = 3,              /* in a ring */
    ENDPOINTS_A_NODE = 10,
    MOST_MESSAGES = 1024,
    MOST_OCTETS = 1024,    /* of one message */
    BUFFER = 8 << 20,      /* of the socket */
};

static const char ALGORITHM[] = "rfc4106(gcm(aes))";

static int netlink;
static int messages_a_send;
static char batch[MOST_MESSAGES * MOST_OCTETS];
static size_t length;
static int pending;

static void die(const char *what) {
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

/* ---- netlink ---- */

static void open_netlink(int protocol) {
    int size = BUFFER, yes = 1;
    netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
    if (netlink < 0) die("socket");
    setsockopt(netlink, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    setsockopt(netlink, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
    setsockopt(netlink, SOL_NETLINK, NETLINK_CAP_ACK, &yes, sizeof yes);
    setsockopt(netlink, SOL_NETLINK, NETLINK_EXT_ACK, &yes, sizeof yes);
}

/* Sends what is in the batch and takes all its answers. */
static void flush(void) {
    static char answers[1 << 16];
    if (pending == 0) return;
    if (send(netlink, batch, length, 0) < 0) die("send");
    while (pending > 0) {
        ssize_t received = recv(netlink, answers, sizeof answers, 0);
        if (received < 0) die("recv");
        int left = (int) received;
        for (struct nlmsghdr *h = (void *) answers; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
            if (h->nlmsg_type != NLMSG_ERROR) continue;
            struct nlmsgerr *answer = NLMSG_DATA(h);
            if (answer->error != 0) {
                errno = -answer->error;
                die("the kernel refused a message");
            }
            pending--;
        }
    }
    length = 0;
}

/* Begins a message with a fixed part of zeros, which is returned to be filled in. */
static void *begin(struct nlmsghdr **header, int type, int flags, size_t fixed) {
    struct nlmsghdr *h = (void *) (batch + length);
    memset(h, 0, MOST_OCTETS);
    h->nlmsg_len = NLMSG_LENGTH(fixed);
    h->nlmsg_type = type;
    h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
    h->nlmsg_seq = pending;
    *header = h;
    return NLMSG_DATA(h);
}

/* Adds an attribute of zeros, whose payload is returned to be filled in. */
static void *attribute(struct nlmsghdr *h, int type, size_t payload) {
    struct nlattr *a = (void *) ((char *) h + NLMSG_ALIGN(h->nlmsg_len));
    a->nla_type = type;
    a->nla_len = NLA_HDRLEN + payload;
    h->nlmsg_len = NLMSG_ALIGN(h->nlmsg_len) + NLA_ALIGN(a->nla_len);
    return (char *) a + NLA_HDRLEN;
}

static void end(struct nlmsghdr *h) {
    length += NLMSG_ALIGN(h->nlmsg_len);
    if (++pending == messages_a_send) flush();
}

/* ---- the peers; addresses are in network order ---- */

static uint32_t local_address(void) { return htonl(0x0a630001); /* 10.99.0.1 */ }

static uint32_t peer_address(int i) { return htonl(0x0ac80000u + i / 250 * 256 + i % 250 + 1); /* 10.200.… */ }

static uint32_t fnv1a(uint32_t hash, const void *octets, int count) {
    for (const unsigned char *o = octets; count-- > 0; o++) hash = (hash ^ *o) * 0x01000193u;
    return hash;
}

static uint32_t fnv1a_mapped(uint32_t hash, uint32_t address) {
    static const unsigned char prefix[12] = {[10] = 0xff, [11] = 0xff};
    return fnv1a(fnv1a(hash, prefix, sizeof prefix), &address, sizeof address);
}

/* In network order. */
static uint32_t spi(uint32_t source, uint32_t destination, uint32_t tag) {
    uint32_t order = htonl(tag);
    uint32_t hash = fnv1a_mapped(0x811c9dc5u, source);
    return htonl(fnv1a_mapped(fnv1a(hash, &order, sizeof order), destination));
}

/* ---- states and policies ---- */

static void unlimited(struct xfrm_lifetime_cfg *life) {
    life->soft_byte_limit = life->hard_byte_limit = life->soft_packet_limit = life->hard_packet_limit = XFRM_INF;
}

static void add_state(uint32_t source, uint32_t destination, uint32_t tag) {
    struct nlmsghdr *h;
    struct xfrm_usersa_info *state = begin(&h, XFRM_MSG_NEWSA, NLM_F_CREATE | NLM_F_EXCL, sizeof *state);
    state->sel.user = LABEL;
    state->saddr.a4 = source;
    state->id.daddr.a4 = destination;
    state->id.spi = spi(source, destination, tag);
    state->id.proto = IPPROTO_ESP;
    state->family = AF_INET;
    state->reqid = REQID;
    state->mode = XFRM_MODE_TRANSPORT;
    unlimited(&state->lft);
    struct xfrm_algo_aead *aead = attribute(h, XFRMA_ALG_AEAD, sizeof *aead + KEY + SALT);
    memcpy(aead->alg_name, ALGORITHM, sizeof ALGORITHM);
    aead->alg_key_len = 8 * (KEY + SALT);
    aead->alg_icv_len = ICV_BITS;
    for (int i = 0; i < KEY; i++) aead->alg_key[i] = (char) (tag + i);
    memcpy(aead->alg_key + KEY, &state->id.spi, SALT);
    end(h);
}

static void delete_state(uint32_t source, uint32_t destination, uint32_t tag) {
    struct nlmsghdr *h;
    struct xfrm_usersa_id *state = begin(&h, XFRM_MSG_DELSA, 0, sizeof *state);
    state->daddr.a4 = destination;
    state->spi = spi(source, destination, tag);
    state->family = AF_INET;
    state->proto = IPPROTO_ESP;
    xfrm_address_t *from = attribute(h, XFRMA_SRCADDR, sizeof *from);
    from->a4 = source;
    end(h);
}

/* Selects marked VXLAN datagrams; for all addresses where there is no peer. */
static void select_marked(struct xfrm_selector *selector, uint32_t peer) {
    selector->family = AF_INET;
    selector->proto = IPPROTO_UDP;
    selector->dport = htons(VXLAN_PORT);
    selector->dport_mask = 0xffff;
    selector->user = LABEL;
    if (peer != 0) {
        selector->saddr.a4 = local_address();
        selector->daddr.a4 = peer;
        selector->prefixlen_s = selector->prefixlen_d = 32;
    }
}

static void end_marked(struct nlmsghdr *h) {
    struct xfrm_mark *mark = attribute(h, XFRMA_MARK, sizeof *mark);
    mark->v = MARK;
    mark->m = 0xffffffff;
    end(h);
}

/* The policy that seals for a peer or, without one, the policy that blocks. */
static void put_policy(uint32_t peer, uint32_t tag) {
    struct nlmsghdr *h;
    struct xfrm_userpolicy_info *policy = begin(&h, XFRM_MSG_UPDPOLICY, 0, sizeof *policy);
    select_marked(&policy->sel, peer);
    unlimited(&policy->lft);
    policy->dir = XFRM_POLICY_OUT;
    if (peer == 0) {
        policy->action = XFRM_POLICY_BLOCK;
        policy->priority = BLOCK_PRIORITY;
    } else {
        struct xfrm_user_tmpl *seal = attribute(h, XFRMA_TMPL, sizeof *seal);
        seal->id.daddr.a4 = peer;
        seal->saddr.a4 = local_address();
        seal->id.spi = spi(local_address(), peer, tag);
        seal->id.proto = IPPROTO_ESP;
        seal->family = AF_INET;
        seal->reqid = REQID;
        seal->mode = XFRM_MODE_TRANSPORT;
        seal->aalgos = seal->ealgos = seal->calgos = 0xffffffff;
    }
    end_marked(h);
}

static void delete_policy(uint32_t peer) {
    struct nlmsghdr *h;
    struct xfrm_userpolicy_id *policy = begin(&h, XFRM_MSG_DELPOLICY, 0, sizeof *policy);
    select_marked(&policy->sel, peer);
    policy->dir = XFRM_POLICY_OUT;
    end_marked(h);
}

/* A ring is three tags: primary, previous, next. Rotated it is next, primary, new. */
struct ring { uint32_t tags[KEYS]; };

static struct ring rotated(struct ring ring) {
    return (struct ring) {{ring.tags[2], ring.tags[0], ring.tags[2] + 1}};
}

/* Each work goes through all peers once for each kind of step, as the plugin does, so that every step is safe. */

static void set_up(int peers, struct ring ring) {
    uint32_t here = local_address();
    for (int i = 0; i < peers; i++)
        for (int k = 0; k < KEYS; k++) add_state(peer_address(i), here, ring.tags[k]);
    for (int i = 0; i < peers; i++) add_state(here, peer_address(i), ring.tags[0]);
    for (int i = 0; i < peers; i++) put_policy(peer_address(i), ring.tags[0]);
    flush();
}

static void rotate(int peers, struct ring old, struct ring new) {
    uint32_t here = local_address();
    for (int i = 0; i < peers; i++) add_state(peer_address(i), here, new.tags[2]);
    for (int i = 0; i < peers; i++) add_state(here, peer_address(i), new.tags[0]);
    for (int i = 0; i < peers; i++) put_policy(peer_address(i), new.tags[0]);
    for (int i = 0; i < peers; i++) delete_state(here, peer_address(i), old.tags[0]);
    for (int i = 0; i < peers; i++) delete_state(peer_address(i), here, old.tags[1]);
    flush();
}

static void tear_down(int peers, struct ring ring) {
    uint32_t here = local_address();
    for (int i = 0; i < peers; i++) delete_policy(peer_address(i));
    for (int i = 0; i < peers; i++) delete_state(here, peer_address(i), ring.tags[0]);
    for (int i = 0; i < peers; i++)
        for (int k = 0; k < KEYS; k++) delete_state(peer_address(i), here, ring.tags[k]);
    flush();
}

/* ---- entries of endpoints ---- */

static void put_entry(int add, int device, int endpoint, int forwarding) {
    struct nlmsghdr *h;
    int flags = add ? NLM_F_CREATE | NLM_F_REPLACE : 0;
    struct ndmsg *entry = begin(&h, add ? RTM_NEWNEIGH : RTM_DELNEIGH, flags, sizeof *entry);
    uint32_t address = htonl(0x0a2c0100u + endpoint);    /* 10.44.1.0 and so on */
    uint32_t node = peer_address(endpoint / ENDPOINTS_A_NODE);
    entry->ndm_family = forwarding ? AF_BRIDGE : AF_INET;
    entry->ndm_ifindex = device;
    entry->ndm_state = NUD_PERMANENT;
    entry->ndm_flags = forwarding ? NTF_SELF : 0;
    memcpy(attribute(h, NDA_DST, sizeof address), forwarding ? &node : &address, sizeof address);
    unsigned char *mac = attribute(h, NDA_LLADDR, 6);
    mac[0] = 0x02;
    mac[1] = 0x42;
    memcpy(mac + 2, &address, sizeof address);
    end(h);
}

static void put_entries(int add, int device, int endpoints) {
    for (int i = 0; i < endpoints; i++) {
        put_entry(add, device, i, 1);
        put_entry(add, device, i, 0);
    }
    flush();
}

/* ---- measuring ---- */

static void report(const char *work, int peers, int cycle, double start) {
    printf("{\"work\":\"%s\",\"peers\":%d,\"mode\":\"floor\",\"messages\":%d,\"call\":\"%s\",\"ms\":%.3f}\n", work,
           peers, messages_a_send, cycle == 0 ? "first" : "warm", milliseconds() - start);
    fflush(stdout);
}

static void witness(const char *command, const char *work, int cycle) {
    char line[512];
    if (cycle > 0) return;
    snprintf(line, sizeof line, "%s %s", command, work);
    if (system(line) != 0) die(line);
}

/* What a work leaves for the kernel to do afterwards (freeing states, growing tables) is not to count with the next. */
static void settle(int peers) {
    long wait = 200 + peers / 5;
    struct timespec pause = {wait / 1000, wait % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

static void programming(int peers, int cycles, const char *command) {
    struct ring ring = {{FIRST_TAG + 1, FIRST_TAG, FIRST_TAG + 2}};
    open_netlink(NETLINK_XFRM);
    put_policy(0, 0);
    flush();
    for (int cycle = 0; cycle < cycles; cycle++) {
        struct ring old = ring;
        settle(peers);
        double start = milliseconds();
        set_up(peers, ring);
        report("setup", peers, cycle, start);
        witness(command, "setup", cycle);

        settle(peers);
        start = milliseconds();
        ring = rotated(old);
        rotate(peers, old, ring);
        report("rotate", peers, cycle, start);
        witness(command, "rotate", cycle);

        settle(peers);
        start = milliseconds();
        tear_down(peers, ring);
        report("remove", peers, cycle, start);
    }
    delete_policy(0);
    flush();
}

static void sandbox(int endpoints, int cycles, const char *command, const char *name) {
    int device = if_nametoindex(name);
    if (device == 0) die(name);
    open_netlink(NETLINK_ROUTE);
    for (int cycle = 0; cycle < cycles; cycle++) {
        settle(endpoints);
        double start = milliseconds();
        put_entries(1, device, endpoints);
        report("sandbox", endpoints, cycle, start);
        witness(command, "sandbox", cycle);
        put_entries(0, device, endpoints);
    }
}

int main(int count, char **words) {
    int of_states = count == 6 && strcmp(words[1], "programming") == 0;
    int of_entries = count == 7 && strcmp(words[1], "sandbox") == 0;
    int objects = of_states || of_entries ? atoi(words[2]) : 0;
    int cycles = objects ? atoi(words[4]) : 0;
    messages_a_send = objects ? atoi(words[3]) : 0;
    if (objects < 1 || cycles < 1 || messages_a_send < 1 || messages_a_send > MOST_MESSAGES) {
        fprintf(stderr, "usage: floor programming PEERS MESSAGES CYCLES WITNESS\n"
                        "       floor sandbox ENDPOINTS MESSAGES CYCLES WITNESS DEVICE\n");
        return 2;
    }
    if (of_states) programming(objects, cycles, words[5]);
    else sandbox(objects, cycles, words[5], words[6]);
    return 0;
}
