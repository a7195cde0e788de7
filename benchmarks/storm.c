/* What a C client sees of a storm: so many WebSocket connections at once, and how long TCP took for each.
 *
 *   storm PORT CONNECTIONS
 *
 * One thread, one epoll. A connection's time runs from its connect(2) to when it is found writable; between any
 * two of them whatever is ready is served. All are upgraded, then closed in order; then it prints one line of JSON.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum state { CONNECTING, ASKING, OPEN, GONE };
struct connection { int fd; enum state state; double began; };

static struct connection *all;
static double *took_ms;
static int epoll_fd, total, begun, connected, opened, gone;
static char request[256];

static double now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void begin(struct connection *c, const struct sockaddr_in *address) {
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) fail("socket");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->began = now_ms();
    if (connect(c->fd, (const struct sockaddr *)address, sizeof *address) && errno != EINPROGRESS) fail("connect");
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = c};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event);
}

static void serve(struct connection *c) {
    char answer[4096];
    int error = 0;
    socklen_t size = sizeof error;
    if (c->state == CONNECTING) {
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error) errno = error, fail("connect");
        took_ms[connected++] = now_ms() - c->began;
        if (send(c->fd, request, strlen(request), MSG_NOSIGNAL) < 0) fail("send");
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
        c->state = ASKING;
        return;
    }
    ssize_t n = recv(c->fd, answer, sizeof answer, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (c->state == ASKING) {
        if (n < 12 || strncmp(answer, "HTTP/1.1 101", 12)) fail("the server did not upgrade a connection");
        c->state = OPEN, opened++;
    } else if (n <= 0) {
        close(c->fd);
        c->state = GONE, gone++;
    }
}

static void poll_once(int timeout_ms) {
    struct epoll_event ready[256];
    int n = epoll_wait(epoll_fd, ready, 256, timeout_ms);
    for (int i = 0; i < n; i++) serve(ready[i].data.ptr);
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    if (argc != 3) return fputs("storm PORT CONNECTIONS\n", stderr), 2;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    total = atoi(argv[2]);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    all = calloc((size_t)total, sizeof *all);
    took_ms = calloc((size_t)total, sizeof *took_ms);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    snprintf(request, sizeof request,
             "GET /hold HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", argv[1]);
    while (begun < total) begin(&all[begun++], &address), poll_once(0);
    while (opened < total) poll_once(-1);
    static const char leave[] = "\x88\x80\x12\x34\x56\x78";
    for (int i = 0; i < total; i++)
        if (send(all[i].fd, leave, 6, MSG_NOSIGNAL) < 0) fail("send");
    while (gone < total) poll_once(-1);
    qsort(took_ms, (size_t)total, sizeof *took_ms, ascending);
    printf("{\"n\":%d,\"p50_ms\":%.4f,\"p99_ms\":%.4f,\"max_ms\":%.4f}\n", total, took_ms[(total - 1) / 2],
           took_ms[(int)(0.99 * (total - 1))], took_ms[total - 1]);
    return 0;
}
