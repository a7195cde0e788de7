/* A WebSocket server fast enough not to be the limit: one thread, one epoll, loopback, a free port.
 *
 *   /echo   sends every message back
 *   /burst  answers every message with 100 JSON events of 140 to 160 bytes that carry the message's "id"
 *   /fragments  as /burst, each event in three frames
 *   /deflate    as /burst, each event compressed on its own (RFC 7692); only where it was compiled with zlib
 *   /hold   answers pings and closes, nothing else
 *   /stats  plain HTTP: what it has counted so far, as JSON
 *
 * The port is printed as one line of JSON; it ends at the end of standard input or by SIGTERM.
 * With --truth every read carries the kernel's arrival stamp, and /stats tells how many messages came within
 * 0.1 ms of the one before, and how long they took from
 * there to the write of their answer. Only data frames that end with their first frame are answered: the
 * benchmarks send no others.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#ifdef WITH_ZLIB
#include <zlib.h>
#endif

enum { EVENTS = 100, SMALLEST_EVENT = 140, SIZES = 21, LARGEST_ID = 64 };
enum { READ_BYTES = 256 * 1024, ENOUGH_UNSENT = 4 * 1024 * 1024, BUCKETS = 200000, BUNCH_NS = 100000 };
enum path { HANDSHAKE, ECHO, BURST, FRAGMENTS, DEFLATE, HOLD, PATHS };

struct connection {
    int fd;
    enum path path;
    int ending;       /* close once all is written */
    int asked_stats;  /* not counted */
    uint32_t asked;   /* what epoll watches for */
    char *rest;       /* bytes of a frame that has not come whole */
    size_t rest_size;
    char *unsent;
    size_t unsent_size, unsent_at;
};

static struct {
    uint64_t accepted, upgraded, closed, messages, events, pings;
    int64_t open;
} count;

static uint32_t took_us[BUCKETS]; /* service time in steps of 1 us; the last one is "and more" */
static int64_t last_stamp;        /* when the read before arrived, whoever sent it */
static uint64_t bunched;          /* messages that came less than BUNCH_NS after the one before */
static int epoll_fd, truth;
static char input[READ_BYTES + 1];
static char *output;
static size_t output_size, output_room;

/* ---------------------------------------------------------------- what the handshake needs */

static uint32_t rol(uint32_t x, int n) { return x << n | x >> (32 - n); }

static void sha1_block(uint32_t h[5], const unsigned char *block) {
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | block[4 * i + 1] << 16 | block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 80; i++) w[i] = rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        uint32_t f, k;
        if (i < 20) f = (b & c) | (~b & d), k = 0x5A827999;
        else if (i < 40) f = b ^ c ^ d, k = 0x6ED9EBA1;
        else if (i < 60) f = (b & c) | (b & d) | (c & d), k = 0x8F1BBCDC;
        else f = b ^ c ^ d, k = 0xCA62C1D6;
        uint32_t next = rol(a, 5) + f + e + k + w[i];
        e = d, d = c, c = rol(b, 30), b = a, a = next;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

static void sha1(const char *text, size_t size, unsigned char digest[20]) {
    uint32_t h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    unsigned char padded[192] = {0};
    size_t total = (size + 9 + 63) / 64 * 64;
    memcpy(padded, text, size);
    padded[size] = 0x80;
    for (int i = 0; i < 4; i++) padded[total - 1 - i] = (unsigned char)((uint64_t)size * 8 >> (8 * i));
    for (size_t at = 0; at < total; at += 64) sha1_block(h, padded + at);
    for (int i = 0; i < 20; i++) digest[i] = (unsigned char)(h[i / 4] >> (24 - 8 * (i % 4)));
}

static void base64(const unsigned char *in, size_t size, char *out) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        uint32_t three = (uint32_t)in[i] << 16 | (i + 1 < size ? in[i + 1] << 8 : 0) | (i + 2 < size ? in[i + 2] : 0);
        *out++ = digits[three >> 18];
        *out++ = digits[three >> 12 & 63];
        *out++ = i + 1 < size ? digits[three >> 6 & 63] : '=';
        *out++ = i + 2 < size ? digits[three & 63] : '=';
    }
    *out = 0;
}

/* ---------------------------------------------------------------- output of one read, gathered */

static char *room_for(size_t size) {
    if (output_size + size > output_room) {
        output_room = 2 * (output_size + size);
        output = realloc(output, output_room);
        if (!output) abort();
    }
    char *at = output + output_size;
    output_size += size;
    return at;
}

static void answer(const char *bytes, size_t size) { memcpy(room_for(size), bytes, size); }

static void frame(unsigned char head, const char *payload, size_t size) {
    unsigned char header[10] = {head};
    size_t n = 2;
    if (size < 126) header[1] = (unsigned char)size;
    else if (size < 65536) header[1] = 126, header[2] = (unsigned char)(size >> 8), header[3] = (unsigned char)size, n = 4;
    else {
        header[1] = 127, n = 10;
        for (int i = 0; i < 8; i++) header[9 - i] = (unsigned char)((uint64_t)size >> (8 * i));
    }
    char *at = room_for(n + size);
    memcpy(at, header, n);
    memcpy(at + n, payload, size);
}

/* The 100 events for ids of one length, made once a path; only the id differs from answer to answer. */
enum { FRAMED_EVENT = SMALLEST_EVENT + SIZES + 64, BEFORE_ID = sizeof "{\"turn\":\"" - 1 };
static struct { char *frames; size_t size, id_at[EVENTS]; } burst_of[PATHS][LARGEST_ID + 1];

static size_t head_of(char *at, unsigned char head, size_t size) {
    at[0] = (char)head;
    if (size < 126) return at[1] = (char)size, 2;
    return at[1] = 126, at[2] = (char)(size >> 8), at[3] = (char)size, 4;
}

static char *framed(char *at, unsigned char head, const char *payload, size_t size) {
    at += head_of(at, head, size);
    memcpy(at, payload, size);
    return at + size;
}

/* The id lies in the first of three frames. */
static char *fragmented(char *at, const char *event, size_t size) {
    size_t first = BEFORE_ID + LARGEST_ID < size / 2 ? BEFORE_ID + LARGEST_ID : size / 2, second = (size - first) / 2;
    at = framed(at, 0x01, event, first);
    at = framed(at, 0x00, event + first, second);
    return framed(at, 0x80, event + first + second, size - first - second);
}

#ifdef WITH_ZLIB
/* Up to the end of the id a stored block, so that the id can be written into it; then a compressed one. */
static char *deflated(char *at, const char *event, size_t size, size_t id_size) {
    size_t stored = BEFORE_ID + id_size;
    char packed[FRAMED_EVENT];
    packed[0] = 0, packed[1] = (char)stored, packed[2] = 0, packed[3] = (char)~stored, packed[4] = (char)0xFF;
    memcpy(packed + 5, event, stored);
    z_stream z = {.next_in = (Bytef *)event + stored, .avail_in = (uInt)(size - stored),
                  .next_out = (Bytef *)packed + 5 + stored, .avail_out = (uInt)(sizeof packed - 5 - stored)};
    deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
    deflate(&z, Z_SYNC_FLUSH);
    size_t all = 5 + stored + z.total_out - 4; /* without the 00 00 ff ff of the flush */
    deflateEnd(&z);
    return framed(at, 0xC1, packed, all);
}

/* What a client compressed, up to the size of a message that a burst answers. */
static size_t inflated(const char *payload, size_t size, char *room, size_t most) {
    static const char tail[] = {0, 0, (char)0xFF, (char)0xFF};
    z_stream z = {.next_in = (Bytef *)payload, .avail_in = (uInt)size, .next_out = (Bytef *)room, .avail_out = (uInt)most};
    inflateInit2(&z, -15);
    inflate(&z, Z_SYNC_FLUSH);
    z.next_in = (Bytef *)tail, z.avail_in = sizeof tail;
    inflate(&z, Z_SYNC_FLUSH);
    inflateEnd(&z);
    return z.total_out;
}
#endif

static char *event_frames(enum path path, char *at, const char *event, size_t size, size_t id_size) {
    (void)id_size;
    if (path == FRAGMENTS) return fragmented(at, event, size);
#ifdef WITH_ZLIB
    if (path == DEFLATE) return deflated(at, event, size, id_size);
#endif
    return framed(at, 0x81, event, size);
}

static void make_burst(enum path path, size_t id_size) {
    char *frames = malloc(EVENTS * FRAMED_EVENT), *at = frames, blank[LARGEST_ID + 1];
    memset(blank, '-', id_size);
    blank[id_size] = 0;
    for (int seq = 0; seq < EVENTS; seq++) {
        char event[SMALLEST_EVENT + SIZES];
        int size = SMALLEST_EVENT + seq * 7 % SIZES;
        int n = snprintf(event, sizeof event, "{\"turn\":\"%s\",\"type\":\"%s\",\"seq\":%d,\"text\":\"",
                         blank, seq == EVENTS - 1 ? "done" : "token", seq);
        memset(event + n, 'x', (size_t)(size - 2 - n));
        memcpy(event + size - 2, "\"}", 2);
        char *end = event_frames(path, at, event, (size_t)size, id_size);
        burst_of[path][id_size].id_at[seq] = (size_t)((char *)memmem(at, (size_t)(end - at), "\"turn\":\"", 8) - frames) + 8;
        at = end;
    }
    burst_of[path][id_size].frames = frames;
    burst_of[path][id_size].size = (size_t)(at - frames);
}

static void burst(enum path path, const char *message, size_t size) {
    const char *key = memmem(message, size, "\"id\"", 4), *end = message + size;
    const char *id = key ? memchr(key + 4, '"', (size_t)(end - key - 4)) : NULL;
    const char *stop = id ? memchr(id + 1, '"', (size_t)(end - id - 1)) : NULL;
    if (!stop || stop - id - 1 > LARGEST_ID) return;
    size_t id_size = (size_t)(stop - id - 1);
    if (!burst_of[path][id_size].frames) make_burst(path, id_size);
    char *at = room_for(burst_of[path][id_size].size);
    memcpy(at, burst_of[path][id_size].frames, burst_of[path][id_size].size);
    for (int seq = 0; seq < EVENTS; seq++) memcpy(at + burst_of[path][id_size].id_at[seq], id + 1, id_size);
    count.events += EVENTS;
}

/* ---------------------------------------------------------------- connections */

static void watch(struct connection *c, uint32_t wanted) {
    if (c->asked == wanted) return;
    struct epoll_event event = {.events = wanted, .data.ptr = c};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
    c->asked = wanted;
}

static void drop(struct connection *c) {
    if (c->path != HANDSHAKE) count.closed++;
    if (!c->asked_stats) count.open--;
    close(c->fd);
    free(c->rest);
    free(c->unsent);
    free(c);
}

/* Write what was gathered; keep what the socket does not take. Returns 0 if the connection is gone. */
static int flush(struct connection *c) {
    if (c->unsent) {
        size_t left = c->unsent_size - c->unsent_at;
        char *all = malloc(left + output_size);
        memcpy(all, c->unsent + c->unsent_at, left);
        memcpy(all + left, output, output_size);
        free(c->unsent);
        c->unsent = all, c->unsent_size = left + output_size, c->unsent_at = 0;
    }
    const char *from = c->unsent ? c->unsent : output;
    size_t size = c->unsent ? c->unsent_size : output_size;
    ssize_t n = size ? send(c->fd, from, size, MSG_NOSIGNAL) : 0;
    if (n < 0 && errno != EAGAIN) return drop(c), 0;
    if (n < 0) n = 0;
    if ((size_t)n == size) {
        free(c->unsent);
        c->unsent = NULL;
        if (c->ending) return drop(c), 0;
        return watch(c, EPOLLIN), 1;
    }
    if (!c->unsent) {
        c->unsent = malloc(size);
        memcpy(c->unsent, output, size);
        c->unsent_size = size;
    }
    c->unsent_at = (size_t)n;
    watch(c, size - (size_t)n > ENOUGH_UNSENT ? EPOLLOUT : EPOLLIN | EPOLLOUT);
    return 1;
}

static int percentile(double q, uint64_t total) {
    uint64_t rank = (uint64_t)(q * (double)total + 0.999999), seen = 0;
    for (int us = 0; us < BUCKETS; us++)
        if ((seen += took_us[us]) >= rank) return us;
    return BUCKETS;
}

static void tell(struct connection *c) {
    char body[512], head[160], service[128] = "null";
    uint64_t total = 0;
    count.accepted--, count.open--; /* the question itself is no part of the answer */
    for (int us = 0; us < BUCKETS; us++) total += took_us[us];
    if (total)
        snprintf(service, sizeof service, "{\"n\":%llu,\"p50\":%d,\"p99\":%d,\"max\":%d,\"bunched\":%llu}",
                 (unsigned long long)total, percentile(0.5, total), percentile(0.99, total), percentile(1.0, total),
                 (unsigned long long)bunched);
    int size = snprintf(body, sizeof body,
                        "{\"accepted\":%llu,\"upgraded\":%llu,\"closed\":%llu,\"messages\":%llu,\"events\":%llu,"
                        "\"pings\":%llu,\"open\":%lld,\"service_us\":%s}\n",
                        (unsigned long long)count.accepted, (unsigned long long)count.upgraded,
                        (unsigned long long)count.closed, (unsigned long long)count.messages,
                        (unsigned long long)count.events, (unsigned long long)count.pings,
                        (long long)count.open, service);
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n",
                     size);
    answer(head, (size_t)n);
    answer(body, (size_t)size);
    c->ending = c->asked_stats = 1;
}

static void refuse(struct connection *c, const char *status) {
    char text[160];
    int n = snprintf(text, sizeof text, "HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", status);
    answer(text, (size_t)n);
    c->ending = 1;
}

static void upgrade(struct connection *c, char *request) {
    char *key = strcasestr(request, "\r\nSec-WebSocket-Key:"), joined[128], accept[32], text[400];
    unsigned char digest[20];
    if (!strncmp(request, "GET /stats", 10)) { tell(c); return; }
    enum path path = !strncmp(request, "GET /echo", 9) ? ECHO : !strncmp(request, "GET /burst", 10) ? BURST
                     : !strncmp(request, "GET /fragments", 14) ? FRAGMENTS
#ifdef WITH_ZLIB
                     : !strncmp(request, "GET /deflate", 12) ? DEFLATE
#endif
                     : !strncmp(request, "GET /hold", 9) ? HOLD : HANDSHAKE;
    if (path == DEFLATE && !strcasestr(request, "permessage-deflate")) { refuse(c, "400 Bad Request"); return; }
    const char *agreed = path == DEFLATE ? "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n" : "";
    if (path == HANDSHAKE) { refuse(c, "404 Not Found"); return; }
    if (!key) { refuse(c, "400 Bad Request"); return; }
    key += strlen("\r\nSec-WebSocket-Key:");
    while (*key == ' ') key++;
    int size = snprintf(joined, sizeof joined, "%.*s258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
                        (int)strcspn(key, " \r\n"), key);
    if (size >= (int)sizeof joined) { refuse(c, "400 Bad Request"); return; }
    sha1(joined, (size_t)size, digest);
    base64(digest, 20, accept);
    int n = snprintf(text, sizeof text,
                     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "%sSec-WebSocket-Accept: %s\r\n\r\n", agreed, accept);
    answer(text, (size_t)n);
    c->path = path;
    count.upgraded++;
}

static void unmask(char *payload, size_t size, const char *mask) {
    uint64_t wide;
    uint32_t key;
    size_t i = 0;
    memcpy(&key, mask, 4);
    uint64_t twice = (uint64_t)key << 32 | key;
    for (; i + 8 <= size; i += 8) memcpy(&wide, payload + i, 8), wide ^= twice, memcpy(payload + i, &wide, 8);
    for (; i < size; i++) payload[i] ^= mask[i & 3];
}

static void asked(enum path path, unsigned char head, const char *payload, size_t size) {
#ifdef WITH_ZLIB
    char plain[1024];
    if (head & 0x40) size = inflated(payload, size, plain, sizeof plain), payload = plain;
#endif
    (void)head;
    burst(path, payload, size);
}

/* One whole frame: its answer is gathered. Returns how many data messages it was. */
static int take(struct connection *c, unsigned char head, char *payload, size_t size) {
    switch (head & 0x0F) {
    case 0x1:
    case 0x2:
        count.messages++;
        if (c->path == ECHO) frame(head, payload, size), count.events++;
        else if (c->path != HOLD) asked(c->path, head, payload, size);
        return 1;
    case 0x8:
        frame(0x88, payload, size < 2 ? 0 : 2);
        c->ending = 1;
        return 0;
    case 0x9:
        count.pings++;
        frame(0x8A, payload, size);
    }
    return 0;
}

/* All whole frames in the bytes; *used is set to how many bytes they were. Returns the data messages. */
static int take_all(struct connection *c, char *bytes, size_t size, size_t *used) {
    size_t at = 0;
    int messages = 0;
    if (c->path == HANDSHAKE) {
        char *end = memmem(bytes, size, "\r\n\r\n", 4);
        if (!end) { *used = 0; return 0; }
        *end = 0;
        at = (size_t)(end + 4 - bytes);
        upgrade(c, bytes);
    }
    while (!c->ending && size - at >= 6) {
        unsigned char *b = (unsigned char *)bytes + at;
        size_t length = b[1] & 0x7F, n = 2;
        if (length == 126) length = (size_t)b[2] << 8 | b[3], n = 4;
        else if (length == 127) {
            if (size - at < 14) break;
            length = 0, n = 10;
            for (int i = 2; i < 10; i++) length = length << 8 | b[i];
        }
        if (length > ENOUGH_UNSENT || !(b[1] & 0x80)) { c->ending = 1; break; }
        if (size - at < n + 4 + length) break;
        unmask(bytes + at + n + 4, length, bytes + at + n);
        messages += take(c, b[0], bytes + at + n + 4, length);
        at += n + 4 + length;
    }
    *used = at;
    return messages;
}

static int64_t stamp_in(struct msghdr *header) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPING) {
            struct timespec stamp;
            memcpy(&stamp, CMSG_DATA(c), sizeof stamp);
            return stamp.tv_sec * 1000000000LL + stamp.tv_nsec;
        }
    return 0;
}

static ssize_t receive(int fd, int64_t *stamp) {
    *stamp = 0;
    if (!truth) return recv(fd, input, READ_BYTES, 0);
    char control[256];
    struct iovec room = {input, READ_BYTES};
    struct msghdr header = {.msg_iov = &room, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(fd, &header, 0);
    if (n > 0) *stamp = stamp_in(&header);
    return n;
}

static void took(int64_t since, int messages) {
    struct timespec now;
    if (!since || !messages) return;
    clock_gettime(CLOCK_REALTIME, &now);
    bunched += (uint64_t)(messages - (since - last_stamp >= BUNCH_NS));
    last_stamp = since;
    int64_t us = (now.tv_sec * 1000000000LL + now.tv_nsec - since) / 1000;
    took_us[us < 0 ? 0 : us >= BUCKETS ? BUCKETS - 1 : us] += (uint32_t)messages;
}

static void readable(struct connection *c) {
    int64_t stamp;
    ssize_t n = receive(c->fd, &stamp);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) { drop(c); return; }
    char *bytes = input;
    size_t size = (size_t)n, used;
    if (c->rest) {
        c->rest = realloc(c->rest, c->rest_size + size + 1);
        memcpy(c->rest + c->rest_size, input, size);
        bytes = c->rest, size += c->rest_size;
    }
    output_size = 0;
    int messages = take_all(c, bytes, size, &used);
    char *rest = NULL;
    if (used < size && !c->ending) {
        rest = malloc(size - used + 1);
        memcpy(rest, bytes + used, size - used);
    }
    free(c->rest);
    c->rest = rest, c->rest_size = size - used;
    if (output_size || c->ending) {
        if (flush(c)) took(stamp, messages);
    }
}

static void accept_all(int listener) {
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
        if (fd < 0) return;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (truth) {
            int flags = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
            setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof flags);
        }
        struct connection *c = calloc(1, sizeof *c);
        c->fd = fd;
        c->asked = EPOLLIN;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
        count.accepted++, count.open++;
    }
}

static int listen_on_loopback(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) || listen(fd, 16384)) {
        perror("listen");
        exit(1);
    }
    getsockname(fd, (struct sockaddr *)&address, &size);
    printf("{\"port\":%d,\"server\":\"c\"}\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv) {
    truth = argc > 1 && !strcmp(argv[1], "--truth");
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    signal(SIGPIPE, SIG_IGN);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int listener = listen_on_loopback();
    struct epoll_event ready[1024], event = {.events = EPOLLIN, .data.ptr = &listener};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event);
    event.data.ptr = NULL;
    int watched = !epoll_ctl(epoll_fd, EPOLL_CTL_ADD, 0, &event); /* a file or /dev/null cannot be watched */
    for (;;) {
        int n = epoll_wait(epoll_fd, ready, 1024, -1);
        for (int i = 0; i < n; i++) {
            char byte;
            if (ready[i].data.ptr == &listener) accept_all(listener);
            else if (!ready[i].data.ptr) {
                if (watched && read(0, &byte, 1) <= 0) return 0;
            } else if (ready[i].events & EPOLLIN || ready[i].events & (EPOLLHUP | EPOLLERR)) readable(ready[i].data.ptr);
            else output_size = 0, flush(ready[i].data.ptr);
        }
    }
}
